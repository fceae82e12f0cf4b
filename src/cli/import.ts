import { basename } from 'node:path';
import { text } from 'node:stream/consumers';
import { dump } from 'js-yaml';
import { parseRealmRelay } from '../api/parse.ts';
import { conflictProblem } from '../api/rules.ts';
import { apiVersion, kind, maxNameLength, type RealmRelay } from '../api/schema/realm-relay.ts';
import { ConfigError, type SourcedProblem } from '../config/config-error.ts';
import { sourceDocument, type ConfigText } from '../config/config-text.ts';
import { importedRelay, type ImportedRelay } from '../config/import/imported-relay.ts';
import { originOf } from '../config/import/origins.ts';
import { secretCommand } from '../config/import/secrets.ts';
import { problemText, type Problem } from '../lib/problem.ts';
import { trimmedEnd } from '../lib/trimmed.ts';
import { readConfig } from '../relay/config-file/read-config.ts';
import { UsageError } from '../lib/usage-error.ts';
import type { Command } from './command.ts';
import { importOptions } from './command-table.ts';
import { namespaceName } from './flag-values.ts';
import { parseOptions } from './options.ts';

/** `realm-operator import`: converts a configuration of Realm to a RealmRelay. */
export const importRealm: Command = async (argv, { stdin, stdout, stderr }) => {
  const { path, name, namespace } = options(argv);
  const report = (line: string) => stderr.write(`${line}\n`);
  const texts =
    path === '-' ? [{ source: 'stdin', text: await text(stdin) }] : (await readConfig(path)).texts;
  const imported = read(texts);
  if (imported instanceof ConfigError) {
    for (const problem of imported.problems) report(sourcedText(problem));
    return 1;
  }
  const metadata = { name: name ?? nameFrom(path), ...(namespace !== undefined && { namespace }) };
  const manifest = { apiVersion, kind, metadata, spec: imported.spec } satisfies RealmRelay;
  const { errors, warnings } = findings(manifest, imported, path);
  for (const problem of errors) report(sourcedText(problem));
  for (const { source, ...problem } of warnings) report(`${source}: warning: ${problemText(problem)}`);
  if (errors.length > 0) return 1;
  for (const secret of imported.secrets)
    report(`Create the Secret "${secret.name}": ${secretCommand(secret, namespace)}`);
  stdout.write(dump(manifest, { noRefs: true, lineWidth: -1 }));
  return 0;
};

type Options = {
  readonly path: string;
  readonly name: string | undefined;
  readonly namespace: string | undefined;
};

function options(argv: readonly string[]): Options {
  const { values, positionals } = parseOptions(argv, importOptions, 1);
  const [path] = positionals;
  if (path === undefined) throw new UsageError('give one file or folder, or - for standard input');
  const { name, namespace } = values;
  return {
    path,
    name,
    namespace: namespace === undefined ? undefined : namespaceName('--namespace', namespace),
  };
}

/** The file name without what the name of a RealmRelay must not contain. */
function nameFrom(path: string): string {
  const stem = basename(path).replace(/[.][a-z]+$/i, '');
  const word = stem.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-');
  return trimmedEnd(word.replace(/^[^a-z]+/, '').slice(0, maxNameLength), '-') || 'realm';
}

function read(texts: readonly ConfigText[]): ImportedRelay | ConfigError {
  try {
    return importedRelay(texts.map(sourceDocument));
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
}

type Findings = { readonly errors: readonly SourcedProblem[]; readonly warnings: readonly SourcedProblem[] };

/** What is reported: about the source file if it concerns an endpoint, else about `path`. */
function findings(manifest: RealmRelay, { origins, warnings: known }: ImportedRelay, path: string): Findings {
  const { relay, problems, conflicts, warnings } = parseRealmRelay(manifest);
  const conflictProblems =
    relay === undefined ? [] : conflicts.map((conflict) => conflictProblem(relay, conflict));
  const placed = (problem: Problem): SourcedProblem => ({
    ...problem,
    ...(originOf(problem.path, origins) ?? { source: path }),
  });
  return {
    errors: [...problems, ...conflictProblems].map(placed),
    warnings: [...known, ...warnings.map(placed)],
  };
}

function sourcedText({ source, ...problem }: SourcedProblem): string {
  return `${source}: ${problemText(problem)}`;
}

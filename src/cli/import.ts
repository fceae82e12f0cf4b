import { basename } from 'node:path';
import { text } from 'node:stream/consumers';
import { dump } from 'js-yaml';
import { parseRealmRelay } from '../api/parse.ts';
import { portConflicts } from '../api/port-conflicts.ts';
import { conflictProblem } from '../api/rules.ts';
import { apiVersion, kind, maxNameLength, type RealmRelay } from '../api/schema/realm-relay.ts';
import { ConfigError, type SourcedProblem } from '../config/config-error.ts';
import type { SourceDocument } from '../config/config-text.ts';
import { importedRelay, type ImportedRelay } from '../config/import/imported-relay.ts';
import { originOf } from '../config/import/origins.ts';
import { secretCommand } from '../config/import/secrets.ts';
import { splitSpec } from '../config/import/split.ts';
import { oneOf } from '../lib/document-rules.ts';
import type { Problem } from '../lib/problem.ts';
import { trimmedEnd } from '../lib/trimmed.ts';
import { readConfig } from '../relay/config-file/read-config.ts';
import { UsageError } from '../lib/usage-error.ts';
import type { Command } from './command.ts';
import { importOptions } from './command-options.ts';
import { namespaceName } from './flag-values.ts';
import { sourceFormats } from './import/formats.ts';
import { readSources } from './import/sources.ts';
import { flagValue, parseOptions } from './options.ts';

/** `realm-operator import`: converts a configuration of Realm, or of another relay, to RealmRelays. */
export const importRealm: Command = async (argv, { stdin, stdout, stderr }) => {
  const { path, from, ...identity } = options(argv);
  const report = (line: string) => stderr.write(`${line}\n`);
  const texts =
    path === '-' ? [{ source: 'stdin', text: await text(stdin) }] : (await readConfig(path)).texts;
  const { sources, notes, place } = readSources(texts, from);
  for (const note of notes) report(note.text);
  if (notes.some(({ isError }) => isError)) return 1;
  const imported = read(sources);
  if (imported instanceof ConfigError) {
    for (const problem of imported.problems) report(place(problem));
    return 1;
  }
  const manifest = manifestOf(imported, path, identity);
  const { errors, warnings } = findings(manifest, imported, path);
  for (const problem of errors) report(place(problem));
  for (const warning of warnings) report(place(warning, 'warning: '));
  if (errors.length > 0) return 1;
  for (const secret of imported.secrets)
    report(`Create the Secret "${secret.name}": ${secretCommand(secret, identity.namespace)}`);
  const printed = manifests(manifest).map((each) => dump(each, { noRefs: true, lineWidth: -1 }));
  stdout.write(printed.join('---\n'));
  return 0;
};

function manifestOf({ spec }: ImportedRelay, path: string, { name, namespace }: Identity): RealmRelay {
  const metadata = { name: name ?? nameFrom(path), ...(namespace !== undefined && { namespace }) };
  return { apiVersion, kind, metadata, spec };
}

/** `manifest`, or several that each can have a Service. */
function manifests(manifest: RealmRelay): RealmRelay[] {
  if (manifest.spec.service?.enabled !== false) return [manifest];
  return splitSpec(manifest.spec).map((spec, index) => {
    const number = `-${String(index + 1)}`;
    const name = `${trimmedEnd(manifest.metadata.name.slice(0, maxNameLength - number.length), '-')}${number}`;
    return { ...manifest, metadata: { ...manifest.metadata, name }, spec };
  });
}

/** What names the RealmRelay. */
type Identity = { readonly name: string | undefined; readonly namespace: string | undefined };

type Options = Identity & { readonly path: string; readonly from: string };

function options(argv: readonly string[]): Options {
  const { values, positionals } = parseOptions(argv, importOptions, 1);
  const [path] = positionals;
  if (path === undefined) throw new UsageError('give one file or folder, or - for standard input');
  const { name, namespace, from } = values;
  return {
    path,
    name,
    namespace: namespace === undefined ? undefined : namespaceName('--namespace', namespace),
    from: flagValue('--from', from, oneOf(sourceFormats)),
  };
}

/** The file name without what the name of a RealmRelay must not contain. */
function nameFrom(path: string): string {
  const stem = basename(path).replace(/[.][a-z]+$/i, '');
  const word = stem.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-');
  return trimmedEnd(word.replace(/^[^a-z]+/, '').slice(0, maxNameLength), '-') || 'realm';
}

function read(sources: readonly SourceDocument[]): ImportedRelay | ConfigError {
  try {
    return importedRelay(sources);
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
}

type Findings = { readonly errors: readonly SourcedProblem[]; readonly warnings: readonly SourcedProblem[] };

/** What is reported: about the source file if it concerns an endpoint, else about `path`. */
function findings(manifest: RealmRelay, { origins, warnings: known }: ImportedRelay, path: string): Findings {
  const { relay, problems, warnings } = parseRealmRelay(manifest);
  const conflicts = portConflicts(relay?.endpoints ?? [], 'Realm');
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

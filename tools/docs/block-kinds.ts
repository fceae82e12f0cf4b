import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadAll } from 'js-yaml';
import { parse as parseToml } from 'smol-toml';
import { parseRealmRelay } from '../../src/api/parse.ts';
import { conflictProblem } from '../../src/api/rules.ts';
import { kind } from '../../src/api/schema/realm-relay.ts';
import { relayConfig } from '../../src/config/parsed-config.ts';
import { asError } from '../../src/lib/errors.ts';
import { problemText } from '../../src/lib/problem.ts';
import { isRecord } from '../../src/lib/record.ts';
import type { Block } from './blocks.ts';
import type { PageProblem } from './page-problem.ts';

const root = join(import.meta.dirname, '..', '..');

/** Where the commands of a block run: on this machine alone, or with kubectl and Helm on a cluster. */
const places = ['host', 'cluster'] as const;

/** Words that may follow the place of a command block. */
const commandWords = ['background', 'eventually', 'fails'];

const commands =
  /^(?:\$ |(?:kubectl|helm|realm-operator|realm|make|curl|npx|docker|podman|sudo|systemctl) )/m;

type Check = (block: Block, previous: Block | undefined) => readonly string[];

/** What a block of each kind has to fulfil. A block of any other kind is a problem. */
const checks: Readonly<Record<string, Check>> = {
  sh: commandFaults,
  text: textFaults,
  yaml: ({ text }) => documentFaults(() => loadAll(text)),
  json: ({ text }) => documentFaults(() => [JSON.parse(text)]),
  toml: ({ text }) => documentFaults(() => [parseToml(text)]),
  conf: configurationFaults,
  mermaid: () => [],
  event: () => [],
};

/** The kinds, for messages. */
const kinds =
  'sh (commands), text (output, with "output" after it), yaml, json, toml or conf (configuration)';

/** What is wrong with the blocks of a page: a kind that is missing or unknown, commands that no test runs, broken configuration. */
export function blockProblems(blocks: readonly Block[]): readonly PageProblem[] {
  return blocks.flatMap((block, index) => {
    const check = Object.hasOwn(checks, block.language) ? checks[block.language] : undefined;
    const faults = check?.(block, blocks[index - 1]) ?? [
      `the block has the kind ${JSON.stringify(block.language)}: use ${kinds}`,
    ];
    return faults.map((what) => ({ page: block.page, line: block.line, what }));
  });
}

function commandFaults({ words, attributes, page }: Block): readonly string[] {
  const test = attributes['tested-by'];
  if (test !== undefined) return testFaults(test, page);
  const [place = '', ...others] = words;
  if (!places.some((each) => each === place)) {
    return [
      `nothing runs these commands: write "sh host", "sh cluster" or "sh tested-by=TEST", got "${place}"`,
    ];
  }
  const unknown = others.filter((word) => !commandWords.includes(word));
  return unknown.map((word) => `"${word}" is unknown: use ${commandWords.join(', ')}`);
}

/** A test that names the page reads its commands. */
function testFaults(test: string, page: string): readonly string[] {
  const file = join(root, test);
  if (!existsSync(file)) return [`there is no test ${test}: name a file of test/`];
  if (readFileSync(file, 'utf8').includes(page)) return [];
  return [`${test} does not name ${page}, so it cannot run its commands: read them there`];
}

function textFaults({ words, text }: Block, previous: Block | undefined): readonly string[] {
  if (words.includes('output')) {
    return previous?.language === 'sh' ? [] : ['output follows no command block: put it after its commands'];
  }
  return configurationFaults({ text });
}

function configurationFaults({ text }: Pick<Block, 'text'>): readonly string[] {
  const [command] = commands.exec(text) ?? [];
  return command === undefined
    ? []
    : [`"${command.trim()}" is a command that no test runs: put it into a block "sh host" or "sh cluster"`];
}

/** The problems of documents, of which those that are RealmRelays or relay configurations have to be valid. */
function documentFaults(parse: () => readonly unknown[]): readonly string[] {
  try {
    return parse().flatMap(contentFaults);
  } catch (error) {
    return [`cannot be read: ${asError(error).message}`];
  }
}

function contentFaults(document: unknown): readonly string[] {
  if (!isRecord(document)) return [];
  if (document['kind'] === kind) {
    const { relay, problems, conflicts } = parseRealmRelay(document);
    const clashes = relay === undefined ? [] : conflicts.map((conflict) => conflictProblem(relay, conflict));
    return [...problems, ...clashes].map(problemText);
  }
  if ('endpoints' in document) relayConfig(document, 'the block'); // throws
  return [];
}

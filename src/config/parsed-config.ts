/**
 * The configuration of the relay. `sourceDocument` reads a text (TOML, JSON or Realm's legacy JSON) as a document; the rules of
 * the key tables read its values and collect every problem; `mergedConfig` merges the documents with the command line and
 * applies the defaults. The result, `RelayConfig`, is all that the relay knows of its configuration.
 */

import type { Findings } from '../lib/document-rules.ts';
import { firstProblems, type Problem } from '../lib/problem.ts';
import { ConfigError, type SourcedProblem } from './config-error.ts';
import { sourceDocument, type ConfigText, type SourceDocument } from './config-text.ts';
import { dnsConfig, type ReadDns } from './dns-config.ts';
import { endpointConfig, type SharedNetworks, type UnnamedEndpoint } from './endpoint-config.ts';
import type { Written } from './key-table.ts';
import { logConfig, type logKeys } from './log-config.ts';
import { namedEndpoints } from './named-endpoints.ts';
import { endpointNetwork, type EndpointNetwork } from './network-keys.ts';
import type { RealmNetwork } from './realm-document.ts';
import { documentRule } from './realm-rules.ts';
import { ReadingMemory } from './reading-memory.ts';
import type { EndpointConfig, RelayConfig } from './relay-config.ts';

/** A configuration, and warnings about input that was ignored and is probably a mistake. */
export type ParsedConfig = {
  readonly config: RelayConfig;
  /** The network settings of endpoints that do not override them. */
  readonly network: EndpointNetwork;
  readonly warnings: readonly SourcedProblem[];
  /** Whether any source uses the keys of Realm before 2.0. */
  readonly isLegacy: boolean;
};

/** Values from the command line, which override those of the files. */
export type Overrides = {
  readonly log?: Written<typeof logKeys>;
  readonly dns?: ReadDns;
  readonly network?: RealmNetwork;
};

/**
 * Parses the texts of configuration files, in TOML, JSON or legacy JSON, and merges them: see `mergedConfig`.
 *
 * @throws ConfigError with every problem at once.
 */
export function parseRelayConfig(
  texts: readonly ConfigText[],
  overrides: Overrides = {},
  memory = new ReadingMemory(),
): ParsedConfig {
  return mergedConfig(texts.map(sourceDocument), overrides, memory);
}

/**
 * The configuration in `document`, which is shaped like RealmDocument.
 *
 * @param source  the origin of `document`, for messages.
 * @throws ConfigError with every problem at once.
 */
export function relayConfig(document: unknown, source: string, overrides: Overrides = {}): ParsedConfig {
  const findings: Findings = { problems: [], warnings: [] };
  return mergedConfig([{ source, document, isLegacy: false, findings }], overrides);
}

/**
 * Merges `sources` into one configuration: their endpoints one after the other; every other key from the first source that
 * has it, also for the endpoints of the others.
 *
 * @param memory  of the previous reading; by default there was none.
 * @throws ConfigError with every problem at once.
 */
export function mergedConfig(
  sources: readonly SourceDocument[],
  overrides: Overrides,
  memory = new ReadingMemory(),
): ParsedConfig {
  const reads = readDocuments(sources, memory);
  const log = { ...firstOf(reads.map(({ read }) => read.log)), ...overrides.log };
  const network = firstOf(reads.map(({ read }) => read.network));
  const networks = { global: network, overrides: overrides.network ?? {}, known: new Map() };
  const endpoints = configuredEndpoints(reads, networks, memory);
  const dns = dnsConfig(
    { ...firstOf(reads.map(({ read }) => read.dns)), ...overrides.dns },
    reads[0]?.findings ?? { problems: [], warnings: [] },
  );
  const { denied_destinations: denied = [] } = firstOf(reads.map(({ read }) => read));
  const named = namedEndpoints(endpoints);
  const problems = sourced(reads, ({ problems: each }) => each);
  if (problems.length > 0) throw new ConfigError(problems);
  const limited = limitedBy(memory.unchangedDenied(denied), named);
  const config = { log: logConfig(log), ...(dns && { dns }), endpoints: memory.unchanged(limited) };
  return {
    config,
    network: endpointNetwork({ ...network, ...overrides.network }),
    warnings: sourced(reads, ({ warnings }) => warnings),
    isLegacy: sources.some((source) => source.isLegacy),
  };
}

function readDocuments(sources: readonly SourceDocument[], memory: ReadingMemory) {
  const rule = documentRule(memory.endpointRule);
  memory.begin();
  return sources.map(({ source, document, findings }) => {
    const read = document === undefined ? undefined : rule(document, [], findings);
    return { source, findings, read: read ?? {} };
  });
}

function configuredEndpoints(
  reads: ReturnType<typeof readDocuments>,
  networks: SharedNetworks,
  memory: ReadingMemory,
): UnnamedEndpoint[] {
  memory.applyNetworks(networks.global, networks.overrides);
  return reads.flatMap(({ read, findings }) =>
    (read.endpoints ?? []).flatMap((endpoint, index): UnnamedEndpoint | readonly [] => {
      const path = ['endpoints', index];
      const configured = memory.configured(endpoint, findings, (own) =>
        endpointConfig(endpoint, networks, path, own),
      );
      return configured === undefined ? [] : { ...configured, path, findings };
    }),
  );
}

function limitedBy(
  denied: readonly string[],
  endpoints: readonly EndpointConfig[],
): readonly EndpointConfig[] {
  return denied.length === 0 ? endpoints : endpoints.map((each) => ({ ...each, deniedDestinations: denied }));
}

/** Each field from the first of `tables` that has it. */
function firstOf<T extends object>(tables: readonly (T | undefined)[]): Partial<T> {
  return Object.assign({}, ...tables.toReversed()) as Partial<T>;
}

type Read = { readonly source: string; readonly findings: Findings };

function sourced(reads: readonly Read[], of: (findings: Findings) => readonly Problem[]): SourcedProblem[] {
  return reads.flatMap(({ source, findings }) =>
    firstProblems(of(findings), (problem) => problem).map((problem) => ({ ...problem, source })),
  );
}

import type { Findings } from '../lib/document-rules.ts';
import type { Problem } from '../lib/problem.ts';
import { ConfigError, type SourcedProblem } from './config-error.ts';
import { sourceDocument, type ConfigText, type SourceDocument } from './config-text.ts';
import { dnsConfig, type ReadDns } from './dns-config.ts';
import { endpointConfig } from './endpoint-config.ts';
import type { Written } from './key-table.ts';
import { logConfig, type logKeys } from './log-config.ts';
import { namedEndpoints } from './named-endpoints.ts';
import { endpointNetwork, type EndpointNetwork } from './network-keys.ts';
import type { RealmNetwork } from './realm-document.ts';
import { documentRule } from './realm-rules.ts';
import type { RelayConfig } from './relay-config.ts';

/** A configuration and what in its sources was ignored and probably not meant to be. */
export type ParsedConfig = {
  readonly config: RelayConfig;
  /** What holds for every endpoint that does not say otherwise. */
  readonly network: EndpointNetwork;
  readonly warnings: readonly SourcedProblem[];
  /** Whether any source was written in the words of Realm before 2.0. */
  readonly isLegacy: boolean;
};

/** What the command line says; it stands above every value of the file. */
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
export function parseRelayConfig(texts: readonly ConfigText[], overrides: Overrides = {}): ParsedConfig {
  return mergedConfig(texts.map(sourceDocument), overrides);
}

/**
 * The configuration that `document`, shaped like RealmDocument, asks for.
 *
 * @param source  where it comes from, for messages.
 * @throws ConfigError with every problem at once.
 */
export function relayConfig(document: unknown, source: string, overrides: Overrides = {}): ParsedConfig {
  const findings: Findings = { problems: [], warnings: [] };
  return mergedConfig([{ source, document, isLegacy: false, findings }], overrides);
}

/**
 * The one configuration that `sources` ask for together: their endpoints one after the other; of every other
 * key the first source that has it counts, also for the endpoints of the others.
 *
 * @throws ConfigError with every problem at once.
 */
export function mergedConfig(sources: readonly SourceDocument[], overrides: Overrides): ParsedConfig {
  const reads = sources.map(({ source, document, findings }) => {
    const read = document === undefined ? undefined : documentRule(document, [], findings);
    return { source, findings, read: read ?? {} };
  });
  const log = { ...firstOf(reads.map(({ read }) => read.log)), ...overrides.log };
  const networks = {
    global: firstOf(reads.map(({ read }) => read.network)),
    overrides: overrides.network ?? {},
  };
  const endpoints = reads.flatMap(({ read, findings }) =>
    (read.endpoints ?? []).flatMap((endpoint, index) => {
      return endpointConfig(endpoint, networks, ['endpoints', index], findings) ?? [];
    }),
  );
  const dns = dnsConfig(
    { ...firstOf(reads.map(({ read }) => read.dns)), ...overrides.dns },
    reads[0]?.findings ?? { problems: [], warnings: [] },
  );
  const { denied_destinations: denied = [] } = firstOf(reads.map(({ read }) => read));
  const named = namedEndpoints(endpoints).map((endpoint) => ({
    ...endpoint,
    ...(denied.length > 0 && { deniedDestinations: denied }),
  }));
  const config = { log: logConfig(log), ...(dns && { dns }), endpoints: named };
  const problems = sourced(reads, ({ problems: each }) => each);
  if (problems.length > 0) throw new ConfigError(problems);
  const network = endpointNetwork({ ...networks.global, ...networks.overrides });
  const isLegacy = sources.some((source) => source.isLegacy);
  return { config, network, warnings: sourced(reads, ({ warnings }) => warnings), isLegacy };
}

/** Field by field the first of `tables` that has it. */
function firstOf<T extends object>(tables: readonly (T | undefined)[]): Partial<T> {
  return Object.assign({}, ...tables.toReversed()) as Partial<T>;
}

type Read = { readonly source: string; readonly findings: Findings };

function sourced(reads: readonly Read[], of: (findings: Findings) => readonly Problem[]): SourcedProblem[] {
  return reads.flatMap(({ source, findings }) => of(findings).map((problem) => ({ ...problem, source })));
}

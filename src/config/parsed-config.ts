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
import { endpointConfig } from './endpoint-config.ts';
import type { Written } from './key-table.ts';
import { logConfig, type logKeys } from './log-config.ts';
import { namedEndpoints } from './named-endpoints.ts';
import { endpointNetwork, type EndpointNetwork } from './network-keys.ts';
import type { RealmNetwork } from './realm-document.ts';
import { documentRule } from './realm-rules.ts';
import type { RelayConfig } from './relay-config.ts';

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
export function parseRelayConfig(texts: readonly ConfigText[], overrides: Overrides = {}): ParsedConfig {
  return mergedConfig(texts.map(sourceDocument), overrides);
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
    known: new Map<string, EndpointNetwork>(),
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
  const named = namedEndpoints(endpoints);
  const limited = denied.length > 0 ? named.map((each) => ({ ...each, deniedDestinations: denied })) : named;
  const config = { log: logConfig(log), ...(dns && { dns }), endpoints: limited };
  const problems = sourced(reads, ({ problems: each }) => each);
  if (problems.length > 0) throw new ConfigError(problems);
  const network = endpointNetwork({ ...networks.global, ...networks.overrides });
  const isLegacy = sources.some((source) => source.isLegacy);
  return { config, network, warnings: sourced(reads, ({ warnings }) => warnings), isLegacy };
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

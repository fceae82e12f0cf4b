import { isMapping } from '../lib/document-rules.ts';
import type { Problem } from '../lib/problem.ts';
import { hasEndpoints, sourceDocument, type SourceDocument } from './config-text.ts';
import { mergedConfig, type ParsedConfig } from './parsed-config.ts';

/** The environment variable that can contain the whole configuration. */
export const environmentName = 'REALM_CONF';

/** The content of the variable: a configuration, or the reasons why it is ignored. */
export type EnvironmentConfig =
  { readonly parsed: ParsedConfig } | { readonly ignored: readonly Pick<Problem, 'what' | 'remedy'>[] };

/**
 * The configuration in the variable's `text`. As in Realm, it also replaces the command line, and its global `network`
 * table applies to no endpoint.
 *
 * @throws ConfigError if it is a configuration, but not a valid one.
 */
export function environmentConfig(text: string): EnvironmentConfig {
  const source = sourceDocument({ source: environmentName, text });
  if (hasEndpoints(source.document)) return { parsed: mergedConfig([withoutNetwork(source)], {}) };
  const noEndpoints = { what: 'lists no endpoints', remedy: 'add {"endpoints": [...]}' };
  return { ignored: source.findings.problems.length > 0 ? source.findings.problems : [noEndpoints] };
}

function withoutNetwork(source: SourceDocument): SourceDocument {
  if (!isMapping(source.document) || source.document['network'] === undefined) return source;
  source.findings.warnings.push({
    path: ['network'],
    what: `has no effect in ${environmentName}`,
    remedy: 'write it into each endpoint',
  });
  return { ...source, document: { ...source.document, network: null } };
}

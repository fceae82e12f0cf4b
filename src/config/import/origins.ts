import { isMapping } from '../../lib/document-rules.ts';
import type { Path } from '../../lib/problem.ts';
import { ownValue } from '../../lib/record.ts';
import type { SourceDocument } from '../config-text.ts';

/** A place in the imported files. */
export type Origin = { readonly source: string; readonly path: Path };

/** The place of an endpoint, and its name there. */
export type EndpointOrigin = Origin & { readonly name?: string };

/**
 * The places of the endpoints of `sources`, in the order of the configuration, without those that only add a port to
 * another endpoint.
 */
export function endpointOrigins(sources: readonly SourceDocument[]): EndpointOrigin[] {
  return sources.flatMap(({ source, document, isLegacy }) => {
    const endpoints: unknown = isMapping(document) ? document['endpoints'] : undefined;
    if (!Array.isArray(endpoints)) return [];
    return endpoints.flatMap((endpoint: unknown, index) => {
      const { name, range_of: rangeOf } = isMapping(endpoint) ? endpoint : {};
      if (typeof rangeOf === 'string') return [];
      const path = isLegacy ? ['listening_ports'] : ['endpoints', index];
      return [{ source, path, ...(typeof name === 'string' && { name }) }];
    });
  });
}

/** The place of the table or list `key` that applies: the first one. */
export function tableOrigin(sources: readonly SourceDocument[], key: string): Origin {
  const holder = sources.find(({ document }) => isMapping(document) && ownValue(document, key) !== undefined);
  return { source: holder?.source ?? sources[0]?.source ?? '', path: [key] };
}

const keys: Readonly<Record<string, string>> = {
  healthCheck: 'health_check',
  listenTransport: 'listen_transport',
  remoteTransport: 'remote_transport',
};

/**
 * The place of the value that became `path` of the manifest.
 *
 * @param origins  those of the manifest's endpoints, in their order.
 * @returns undefined if `path` is not within an endpoint.
 */
export function originOf(path: Path, origins: readonly Origin[]): Origin | undefined {
  const [spec, endpoints, index, key, remote] = path;
  if (spec !== 'spec' || endpoints !== 'endpoints' || typeof index !== 'number') return undefined;
  const origin = origins[index];
  if (origin === undefined || typeof key !== 'string' || origin.path[0] !== 'endpoints') return origin;
  return { source: origin.source, path: [...origin.path, ...keyPath(key, remote)] };
}

function keyPath(key: string, index: string | number | undefined): Path {
  if (key !== 'remotes') return [ownValue(keys, key) ?? key];
  if (typeof index !== 'number' || index === 0) return ['remote'];
  return ['extra_remotes', index - 1];
}

import type { RequestOptions } from 'node:https';
import type { KubeConfig } from '@kubernetes/client-node';
import { Agent, type Dispatcher, ProxyAgent } from 'undici';
import { trimmedEnd } from '../lib/trimmed.ts';
import type { ResettableSockets } from './resettable-sockets.ts';

/** Timeout of the TCP connection, and again of the TLS handshake. */
const connectTimeoutMs = 10_000;
const headersTimeoutMs = 60_000;
/** Less than the 90 s after which the API server closes an idle connection, so that none is used while it is being closed. */
const idleTimeoutMs = 30_000;
/** Connections for requests other than watches. Further requests wait for a free one. */
const maxConnections = 64;

/** The largest answer to a request; a page of a list has at most 500 objects. */
export const maxAnswerBytes = 64 * 1024 * 1024;

/** Where requests are sent, and how they are authenticated. */
export type Credentials = {
  /** `https://host:port`. */
  readonly origin: string;
  /** What paths begin with, for a server behind a proxy, without a trailing slash; usually ''. */
  readonly prefix: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly tls: Tls;
  readonly proxyUrl: string | undefined;
};

type Tls = Pick<RequestOptions, 'ca' | 'cert' | 'key' | 'passphrase' | 'rejectUnauthorized' | 'servername'>;

/**
 * Reads the credentials of `kubeConfig`, which may read files and run the user's exec plugin.
 *
 * @throws Error if there is no cluster, a file cannot be read, or the plugin fails.
 */
export async function credentials(kubeConfig: KubeConfig): Promise<Credentials> {
  const cluster = kubeConfig.getCurrentCluster();
  if (cluster === null) throw new Error('the kubeconfig has no current cluster');
  const options: RequestOptions = { headers: {} };
  await kubeConfig.applyToHTTPSOptions(options);
  const { origin, pathname } = new URL(cluster.server);
  return {
    origin,
    prefix: trimmedEnd(pathname, '/'),
    headers: headers(options),
    tls: tls(options),
    proxyUrl: cluster.proxyUrl,
  };
}

function headers({ headers, auth }: RequestOptions): Record<string, string> {
  const entries = Object.entries(headers ?? {}).map(([name, value]) => [name, String(value).trim()] as const);
  const basic =
    typeof auth === 'string' ? { Authorization: `Basic ${Buffer.from(auth).toString('base64')}` } : {};
  return { ...Object.fromEntries(entries), ...basic };
}

function tls({ ca, cert, key, passphrase, rejectUnauthorized, servername }: RequestOptions): Tls {
  const given = { ca, cert, key, passphrase, rejectUnauthorized, servername };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

/** Text that is equal for credentials that can use the same connections. */
export function connectionIdentity({ origin, tls: { ca, cert, key }, proxyUrl }: Credentials): string {
  return [origin, ca, cert, key, proxyUrl].map(String).join('\n');
}

/** The connections of one set of credentials. */
export type Connections = {
  /** For all requests but watches. */
  readonly requests: Dispatcher;
  /** For watches: each occupies its connection for minutes, so they have a pool of their own. */
  readonly watches: Dispatcher;
};

/**
 * Connections are opened when they are first needed.
 *
 * @param sockets  opens the connections for requests, so that they can be reset; not used through a proxy.
 */
export function connections(credentials: Credentials, sockets?: ResettableSockets): Connections {
  return {
    requests: dispatcher(
      credentials,
      { connections: maxConnections, maxResponseSize: maxAnswerBytes },
      sockets,
    ),
    watches: dispatcher(credentials, { connections: null }),
  };
}

function dispatcher(
  { tls, proxyUrl }: Credentials,
  limits: Pick<Agent.Options, 'connections' | 'maxResponseSize'>,
  sockets?: ResettableSockets,
): Dispatcher {
  const pool = {
    ...limits,
    allowH2: false,
    bodyTimeout: 0,
    headersTimeout: headersTimeoutMs,
    keepAliveTimeout: idleTimeoutMs,
  };
  if (proxyUrl !== undefined) return new ProxyAgent({ ...pool, uri: proxyUrl, requestTls: tls });
  const connect = { ...tls, allowH2: pool.allowH2, timeout: connectTimeoutMs };
  return new Agent({ ...pool, connect: sockets?.connector(connect) ?? connect });
}

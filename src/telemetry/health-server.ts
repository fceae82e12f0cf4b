import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { errorCode, RealmError } from '../lib/errors.ts';
import { ownValue } from '../lib/record.ts';

/** The response of a route. */
export type HttpResponse = {
  readonly status: number;
  /** A media type, e.g. `application/json`. */
  readonly type: string;
  readonly body: string;
  /** Headers besides the usual ones, by name in lower case. */
  readonly headers?: Readonly<Record<string, string>>;
};

/** For each path, e.g. `/livez`, the handler of GET. */
export type Routes = Readonly<Record<string, () => HttpResponse | Promise<HttpResponse>>>;

/** The health server could not listen; `cause` is the system's error. */
export class HealthServerError extends RealmError {
  readonly code = 'REALM_HEALTH_SERVER';
}

/** A listening health server. */
export type HealthServer = {
  /** With the address that was bound, e.g. `http://127.0.0.1:9180`. */
  readonly url: string;
  readonly close: () => Promise<void>;
};

/** Where to listen. */
export type HealthServerAddress = { readonly host: string; readonly port: number };

/**
 * Serves `routes` over HTTP: GET and HEAD only, 404 for other paths, 500 if a route throws.
 *
 * @throws HealthServerError if the address cannot be bound.
 */
export async function startHealthServer(address: HealthServerAddress, routes: Routes): Promise<HealthServer> {
  const server = createServer((request, response) => {
    void respond(routes, request.method ?? '', request.url ?? '').then(({ status, type, body, headers }) => {
      response.writeHead(status, {
        'content-type': type,
        'cache-control': 'no-store',
        'x-content-type-options': 'nosniff',
        ...headers,
      });
      response.end(body);
    });
  });
  await listen(server, address);
  const { address: host, family, port } = server.address() as AddressInfo;
  return {
    url: `http://${family === 'IPv6' ? `[${host}]` : host}:${String(port)}`,
    close: async () => {
      const { promise, resolve } = Promise.withResolvers<undefined>();
      server.close(() => {
        resolve(undefined);
      });
      server.closeAllConnections();
      await promise;
    },
  };
}

async function respond(routes: Routes, method: string, url: string): Promise<HttpResponse> {
  const [path = ''] = url.split('?', 1);
  const route = ownValue(routes, path);
  if (route === undefined) return text(404, `not found; available: ${Object.keys(routes).join(', ')}\n`);
  if (!['GET', 'HEAD'].includes(method))
    return { ...text(405, 'method not allowed, use GET\n'), headers: { allow: 'GET, HEAD' } };
  try {
    return await route();
  } catch {
    return text(500, 'internal error\n');
  }
}

/** A response in plain text. */
export function text(status: number, body: string): HttpResponse {
  return { status, type: 'text/plain; charset=utf-8', body };
}

/** A response in JSON, indented for people. */
export function json(status: number, value: unknown): HttpResponse {
  return { status, type: 'application/json', body: `${JSON.stringify(value, undefined, 2)}\n` };
}

/** Falls back from `::` to `0.0.0.0` on a kernel without IPv6. */
async function listen(server: Server, address: HealthServerAddress): Promise<void> {
  try {
    await bind(server, address);
  } catch (error) {
    if (address.host !== '::' || errorCode(error) !== 'EAFNOSUPPORT') throw listenError(address, error);
    await bind(server, { ...address, host: '0.0.0.0' }).catch((cause: unknown) => {
      throw listenError(address, cause);
    });
  }
}

async function bind(server: Server, { host, port }: HealthServerAddress): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<undefined>();
  server.once('error', reject);
  server.listen({ host, port }, () => {
    server.off('error', reject);
    resolve(undefined);
  });
  await promise;
}

function listenError({ host, port }: HealthServerAddress, cause: unknown): HealthServerError {
  return new HealthServerError(`the admin server cannot listen on ${host} port ${String(port)}`, { cause });
}

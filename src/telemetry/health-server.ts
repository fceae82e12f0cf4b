import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { clientIp } from '../lib/client-address.ts';
import { systemClock, type Clock } from '../lib/clock.ts';
import { errorCode, RealmError } from '../lib/errors.ts';
import { isLoopback } from '../lib/ip-address.ts';
import { ownValue } from '../lib/record.ts';
import { ConnectionSlots, idleMs } from './connection-slots.ts';
import { requestTarget, type RequestTarget } from './request-target.ts';

/** The response of a route. */
export type HttpResponse = {
  readonly status: number;
  /** A media type, e.g. `application/json`. */
  readonly type: string;
  readonly body: string;
  /** Headers besides the usual ones, by name in lower case. */
  readonly headers?: Readonly<Record<string, string>>;
};

/** What a route knows of a request. */
export type RouteRequest = {
  readonly query: URLSearchParams;
  /**
   * Whether it comes from this machine, or the own Pod, by a loopback address and for a name of loopback: as through
   * `kubectl port-forward`, and not from a page that a browser was lured to.
   */
  readonly isLocal: boolean;
};

/** For each path, e.g. `/livez`, the handler of GET. */
export type Routes = Readonly<
  Record<string, (request: RouteRequest) => HttpResponse | Promise<HttpResponse>>
>;

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
export type HealthServerAddress = {
  readonly host: string;
  readonly port: number;
  /** A socket that listens there already, for the server to own; absent = to be bound. */
  readonly fd?: number;
};

/** Of kubelet: they are served however many other requests are in progress. */
const probePaths: readonly string[] = ['/livez', '/readyz'];

/** Requests other than probes that are in progress at a time; the remaining connections are for probes. */
const maxRequests = 24;

/** Bytes of a request's line and headers. */
const maxHeaderSize = 8192;

/** Requests of a connection until it is closed. */
const maxRequestsPerConnection = 100;

/**
 * Serves `routes` over HTTP: GET and HEAD only, 404 for other paths, 500 if a route throws, 400 for a request without a valid
 * target (`requestTarget`).
 *
 * Whatever clients do, the server holds at most 32 connections and each of them for seconds (`ConnectionSlots`), and it
 * still serves `/livez` and `/readyz`. On a loopback address it serves no request for the name of another host: a page
 * that a browser on this machine shows could otherwise read it, by DNS rebinding.
 *
 * @param clock  times the deadlines of connections.
 * @throws HealthServerError if the address cannot be bound.
 */
export async function startHealthServer(
  address: HealthServerAddress,
  routes: Routes,
  clock: Clock = systemClock,
): Promise<HealthServer> {
  const slots = new ConnectionSlots(clock);
  // The deadlines of `slots` count for headers and whole requests.
  const limits = { maxHeaderSize, keepAliveTimeout: idleMs, headersTimeout: 0, requestTimeout: 0 };
  let bound = '';
  let inProgress = 0;
  const server = createServer(limits, (request, response) => {
    const { socket, method = '' } = request;
    const target = requestTarget(request);
    const isProbe = target !== undefined && probePaths.includes(target.path);
    slots.begin(socket);
    if (!isProbe) inProgress += 1;
    response.once('close', () => {
      slots.end(socket);
      if (!isProbe) inProgress -= 1;
    });
    const peer = clientIp(socket.remoteAddress ?? '');
    const isBusy = !isProbe && inProgress > maxRequests;
    void respond(routes, target && { target, method, peer, bound, isBusy }).then((answer) => {
      send(response, answer);
    });
  });
  server.maxRequestsPerSocket = maxRequestsPerConnection;
  server.on('connection', (socket) => {
    slots.open(socket);
  });
  await listen(server, address);
  const { address: host, family, port } = server.address() as AddressInfo;
  bound = host;
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

function send(response: ServerResponse, { status, type, body, headers }: HttpResponse): void {
  response.writeHead(status, {
    'content-type': type,
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...headers,
  });
  response.end(body);
}

const tooMany: HttpResponse = {
  ...text(503, 'too many requests in progress, try again in a second\n'),
  headers: { 'retry-after': '1' },
};

const invalid: HttpResponse = {
  ...text(
    400,
    'the request has no valid target, or several Host fields: send one Host field with a name or address\n',
  ),
  headers: { connection: 'close' },
};

/** A request with a valid target. */
type ValidRequest = {
  readonly target: RequestTarget;
  readonly method: string;
  /** The IP address of the client. */
  readonly peer: string;
  /** The IP address of the server. */
  readonly bound: string;
  /** Whether more requests are in progress than are served. */
  readonly isBusy: boolean;
};

async function respond(routes: Routes, request: ValidRequest | undefined): Promise<HttpResponse> {
  if (request === undefined) return invalid;
  const { target, method, peer, bound, isBusy } = request;
  if (isForeign(target.host, bound)) return foreign;
  if (isBusy) return tooMany;
  const route = ownValue(routes, target.path);
  if (route === undefined) return text(404, `not found; available: ${Object.keys(routes).join(', ')}\n`);
  if (!['GET', 'HEAD'].includes(method)) {
    const headers = { allow: 'GET, HEAD', connection: 'close' }; // whatever body follows is not read
    return { ...text(405, 'method not allowed, use GET\n'), headers };
  }
  const isLocal = ['127.0.0.1', '::1'].includes(peer) && localHosts.includes(target.host ?? '');
  try {
    return await route({ query: new URLSearchParams(target.query), isLocal });
  } catch {
    return text(500, 'internal error\n');
  }
}

/** Which host a request to a loopback address may be for, besides that address. */
const localHosts: readonly string[] = ['localhost', '127.0.0.1', '::1'];

/** Whether a request is for the name of another host, if the server listens on the loopback address `bound`. */
function isForeign(host: string | undefined, bound: string): boolean {
  if (!isLoopback(clientIp(bound)) || host === undefined) return false; // HTTP/1.0, which no browser speaks
  return ![...localHosts, bound].includes(host);
}

const foreign: HttpResponse = text(
  403,
  'this address serves its own machine only: use localhost, 127.0.0.1 or [::1] as host\n',
);

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

async function bind(server: Server, { host, port, fd }: HealthServerAddress): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<undefined>();
  server.once('error', reject);
  server.listen(fd === undefined ? { host, port } : { fd }, () => {
    server.off('error', reject);
    resolve(undefined);
  });
  await promise;
}

function listenError({ host, port }: HealthServerAddress, cause: unknown): HealthServerError {
  return new HealthServerError(`the admin server cannot listen on ${host} port ${String(port)}`, { cause });
}

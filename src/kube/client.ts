import type { Readable } from 'node:stream';
import type { KubeConfig } from '@kubernetes/client-node';
import type { Dispatcher } from 'undici';
import { readAtMost, TooLargeError } from '../lib/bounded-read.ts';
import type { Clock } from '../lib/clock.ts';
import { errorCode } from '../lib/errors.ts';
import { untilAborted } from '../lib/until-aborted.ts';
import { withTimeout } from '../lib/with-timeout.ts';
import {
  type Connections,
  type Credentials,
  connectionIdentity,
  connections,
  credentials,
  maxAnswerBytes,
} from './credentials.ts';
import { type Fence, fenced } from './fence.ts';
import type { KubeConfigLoader } from './kube-config.ts';
import { kubeError } from './kube-error.ts';
import { textWithoutManagedFields } from './managed-fields.ts';
import type { KubeObject } from './object.ts';
import { ResettableSockets } from './resettable-sockets.ts';

/** How long credentials are used before they are read again: an exec plugin or a file may have newer ones. */
const credentialsMs = 10_000;
/** Default of `KubeRequest.timeoutMs`. */
const requestTimeoutMs = 30_000;

/** Whatever is larger is a page of something else than the API server. */
const maxErrorBytes = 256 * 1024;

/** A request to the API server. */
export type KubeRequest = {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** Absolute, e.g. `/api/v1/namespaces/edge/services/web`. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Media type of `body`; default `application/json`. */
  readonly contentType?: string;
  /** Cancels the request, which then rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /** How long the request may take before it rejects with a `TimeoutError`; default 30 s. Streams have no timeout. */
  readonly timeoutMs?: number;
};

/** An object that the API server answers with, without its managed fields, and its JSON. */
export type ObjectAnswer<T extends KubeObject> = { readonly object: T; readonly text: string };

/**
 * The client of the API server: JSON over pooled HTTP/1.1 connections, which are replaced when CA, certificate or key
 * change.
 *
 * Guarantee: with a fence, no write reaches a socket unless the fence holds at that moment.
 */
export class KubeClient {
  readonly #load: KubeConfigLoader;
  readonly #clock: Clock;
  readonly #fence: Fence | undefined;
  readonly #sockets: ResettableSockets | undefined;
  readonly #onResponse: (method: string, code: string) => void;
  #kubeConfig: KubeConfig;
  #connections: Connections | undefined;
  #identity = '';
  #credentials: Promise<Credentials> | undefined;
  /** What `#credentials` resolved to. */
  #latest: Credentials | undefined;
  #untilMs = 0;
  #closed = false;

  /**
   * Sends nothing yet.
   *
   * @param fence       if given, must hold for every write; when it ends, connections are reset, which takes back what was
   *   sent and has not arrived.
   * @param onResponse  called with the method and status code of each request, or `<error>` if no response came.
   * @throws what `load` throws.
   */
  constructor(
    load: KubeConfigLoader,
    clock: Clock,
    fence?: Fence,
    onResponse: (method: string, code: string) => void = () => undefined,
  ) {
    this.#fence = fence;
    this.#sockets = fence && new ResettableSockets(fence.signal);
    this.#onResponse = onResponse;
    this.#load = load;
    this.#clock = clock;
    this.#kubeConfig = load();
  }

  /**
   * Sends `request`.
   *
   * @returns the JSON of the response.
   * @throws KubeError if the server answers with an error; undici's error if it cannot be reached; TooLargeError if the
   *   response is larger than 64 MiB; FencedError if the request is a write and the fence does not hold.
   */
  async request(request: KubeRequest): Promise<unknown> {
    return this.#withTimeout(request, async (signal) => {
      return json(await succeeded(await this.#send({ ...request, signal }, 'requests')));
    });
  }

  /**
   * Sends `request`, which is answered with one object.
   *
   * @returns the object without its managed fields, which the caller knows to be of type `T`.
   * @throws as `request` does.
   */
  async requestObject<T extends KubeObject>(request: KubeRequest): Promise<ObjectAnswer<T>> {
    return this.#withTimeout(request, async (signal) => {
      const text = textWithoutManagedFields(
        await content(await succeeded(await this.#send({ ...request, signal }, 'requests'))),
      );
      return { object: JSON.parse(text) as T, text };
    });
  }

  /**
   * Reads the object at `path`.
   *
   * @returns the JSON of the response, or undefined if there is no such object.
   * @throws as `request` does.
   */
  async find(path: string, timeoutMs = requestTimeoutMs): Promise<unknown> {
    const request = { method: 'GET', path, timeoutMs } as const;
    return this.#withTimeout(request, async (limit) => {
      const answer = await this.#send({ ...request, signal: limit }, 'requests');
      if (answer.statusCode !== 404) return json(await succeeded(answer));
      await answer.body.dump();
      return undefined;
    });
  }

  /**
   * Sends `request` and returns the body of the response as a stream. The caller reads it to its end, or aborts
   * `request.signal`.
   *
   * @throws as `request` does, until the body begins.
   */
  async stream(request: KubeRequest): Promise<Readable> {
    const { body } = await succeeded(await this.#send(request, 'watches'));
    return body;
  }

  /** Closes every connection. Requests under way and later ones fail. */
  async close(): Promise<void> {
    this.#closed = true;
    const open = this.#connections;
    await Promise.all([open?.requests.destroy(), open?.watches.destroy()]);
  }

  #withTimeout<T>(request: KubeRequest, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const fence = isWrite(request) ? this.#fence : undefined;
    const signals = [request.signal, fence?.signal].filter((signal) => signal !== undefined);
    const { timeoutMs = requestTimeoutMs } = request;
    return withTimeout({ clock: this.#clock, timeoutMs, signals }, work);
  }

  async #send(request: KubeRequest, pool: keyof Connections): Promise<Dispatcher.ResponseData> {
    const first = await this.#sendCounted(request, pool);
    if (first.statusCode !== 401) return first;
    // client-node reads a token file at most once a minute; the API server may reject the old token before that.
    await first.body.dump();
    this.#kubeConfig = this.#load();
    this.#untilMs = 0;
    return this.#sendCounted(request, pool);
  }

  async #sendCounted(request: KubeRequest, pool: keyof Connections): Promise<Dispatcher.ResponseData> {
    let code = '<error>';
    try {
      const answer = await this.#sendOnce(request, pool);
      code = String(answer.statusCode);
      return answer;
    } finally {
      this.#onResponse(request.method, code);
    }
  }

  async #sendOnce(kubeRequest: KubeRequest, pool: keyof Connections): Promise<Dispatcher.ResponseData> {
    const { method, path, query, body, contentType = 'application/json', signal } = kubeRequest;
    // An exec plugin or a file on a network may never answer.
    const { origin, prefix, headers } = this.#known() ?? (await untilAborted(this.#read(), signal));
    const search = query === undefined ? '' : `?${new URLSearchParams(query).toString()}`;
    const content = body === undefined ? {} : { body: JSON.stringify(body) };
    const type = body === undefined ? {} : { 'content-type': contentType };
    return this.#dispatcher(kubeRequest, pool).request({
      origin,
      path: `${prefix}${path}${search}`,
      method,
      headers: { accept: 'application/json', 'user-agent': 'realm-operator', ...type, ...headers },
      ...(signal === undefined ? {} : { signal }),
      ...content,
    });
  }

  /** The credentials, as most requests find them: without a wait. */
  #known(): Credentials | undefined {
    return this.#clock.monotonicMs() < this.#untilMs ? this.#latest : undefined;
  }

  async #read(): Promise<Credentials> {
    const nowMs = this.#clock.monotonicMs();
    if (this.#credentials === undefined || nowMs >= this.#untilMs) {
      this.#untilMs = nowMs + credentialsMs;
      this.#latest = undefined;
      this.#credentials = this.#renew(); // shared by requests that come meanwhile, so that an exec plugin runs once
    }
    const reading = this.#credentials;
    try {
      const read = await reading;
      if (reading === this.#credentials) this.#latest = read;
      return read;
    } catch (error) {
      this.#untilMs = 0;
      throw error;
    }
  }

  async #renew(): Promise<Credentials> {
    const renewed = await credentials(this.#kubeConfig);
    const identity = connectionIdentity(renewed);
    if (identity === this.#identity) return renewed;
    const old = this.#connections;
    this.#identity = identity;
    this.#connections = connections(renewed, this.#sockets);
    void old?.requests.close(); // requests under way may end; watches end by their own timeout
    void old?.watches.close();
    return renewed;
  }

  #dispatcher(request: KubeRequest, pool: keyof Connections): Dispatcher {
    const open = this.#open()[pool];
    return this.#fence !== undefined && isWrite(request) ? fenced(open, this.#fence) : open;
  }

  #open(): Connections {
    if (this.#closed || this.#connections === undefined) throw new Error('the client is closed');
    return this.#connections;
  }
}

function isWrite({ method }: KubeRequest): boolean {
  return method !== 'GET';
}

async function json(answer: Dispatcher.ResponseData): Promise<unknown> {
  return JSON.parse((await content(answer)).toString());
}

/** By undici's own collection of the bytes, which costs half of reading them as a stream. */
async function content({ body }: Dispatcher.ResponseData): Promise<Buffer> {
  try {
    const { buffer, byteOffset, length } = await body.bytes();
    return Buffer.from(buffer, byteOffset, length);
  } catch (error) {
    if (errorCode(error) !== 'UND_ERR_RES_EXCEEDED_MAX_SIZE') throw error;
    throw new TooLargeError('the answer of the API server', maxAnswerBytes);
  }
}

async function succeeded(answer: Dispatcher.ResponseData): Promise<Dispatcher.ResponseData> {
  if (answer.statusCode < 300) return answer;
  const retryAfter = answer.headers['retry-after'];
  throw kubeError(
    answer.statusCode,
    (await readAtMost(answer.body, maxErrorBytes)).bytes.toString(),
    typeof retryAfter === 'string' ? retryAfter : undefined,
  );
}

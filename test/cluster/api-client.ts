import { Agent, request } from 'node:https';
import { text } from 'node:stream/consumers';

/** An answer of the API server. */
export type ApiResponse = {
  readonly status: number;
  readonly text: string;
  /** `text` as JSON. */
  json: () => unknown;
};

/** The certificates of a user of the API server. */
export type Credentials = { readonly ca: Buffer; readonly cert: Buffer; readonly key: Buffer };

const timeoutMs = 30_000;

/** The tests' own way to an API server, independent of the code under test. */
export class ApiClient {
  readonly #server: URL;
  readonly #agent: Agent;

  /** `server` is the API server's URL. */
  constructor(server: string, credentials: Credentials) {
    this.#server = new URL(server);
    this.#agent = new Agent({ ...credentials, keepAlive: false }); // a restart leaves no dead connection
  }

  /** Sends one request; `body` goes as JSON under `contentType`. */
  async request(
    method: string,
    path: string,
    body?: unknown,
    contentType = 'application/json',
  ): Promise<ApiResponse> {
    const { promise, resolve, reject } = Promise.withResolvers<{ status: number; text: string }>();
    const outgoing = request(
      {
        agent: this.#agent,
        host: this.#server.hostname,
        port: this.#server.port,
        method,
        path,
        headers: body === undefined ? {} : { 'content-type': contentType },
        timeout: timeoutMs,
      },
      (incoming) => {
        text(incoming).then((received) => {
          resolve({ status: incoming.statusCode ?? 0, text: received });
        }, reject);
      },
    );
    outgoing.on('error', reject);
    outgoing.on('timeout', () => outgoing.destroy(new Error(`${method} ${path}: no answer`)));
    outgoing.end(body === undefined ? undefined : JSON.stringify(body));
    const answer = await promise;
    return { ...answer, json: () => JSON.parse(answer.text) as unknown };
  }
}

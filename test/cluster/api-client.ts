import { Agent, request } from 'node:https';
import { text } from 'node:stream/consumers';

/** An answer of the API server. */
export type ApiResponse = {
  readonly status: number;
  readonly text: string;
  /** `text` as JSON. */
  json: () => unknown;
};

/** How a user authenticates to the API server: by a certificate, or by a header. */
export type Credentials = {
  readonly ca: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
  /** Sent with each request, e.g. `authorization` with a token, or `impersonate-user`. */
  readonly headers?: Readonly<Record<string, string>>;
};

const timeoutMs = 30_000;

/** A client of the API server for tests, independent of the code under test. */
export class ApiClient {
  readonly #server: URL;
  readonly #agent: Agent;
  readonly #headers: Readonly<Record<string, string>>;

  /** `server` is the API server's URL. */
  constructor(server: string, { headers = {}, ...certificates }: Credentials) {
    this.#server = new URL(server);
    this.#agent = new Agent({ ...certificates, keepAlive: false }); // so that no dead connection is left after a restart
    this.#headers = headers;
  }

  /** Sends one request; `body` is sent as JSON with `contentType`, a Buffer as it is. */
  async request(
    method: string,
    path: string,
    body?: unknown,
    contentType = 'application/json',
  ): Promise<ApiResponse> {
    const { promise, resolve, reject } = Promise.withResolvers<{ status: number; text: string }>();
    const sent = body === undefined || Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body));
    // Node sends the body of a DELETE without a length, so that it would not be read.
    const type = sent && { 'content-type': contentType, 'content-length': String(sent.length) };
    const outgoing = request(
      {
        agent: this.#agent,
        host: this.#server.hostname,
        port: this.#server.port,
        method,
        path,
        headers: { ...this.#headers, ...type },
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
    outgoing.end(sent);
    const answer = await promise;
    return { ...answer, json: () => JSON.parse(answer.text) as unknown };
  }
}

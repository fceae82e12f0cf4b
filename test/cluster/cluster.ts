import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ApiClient, type ApiResponse, type Credentials } from './api-client.ts';
import type { Command } from './binaries.ts';
import { type Finished, run } from './run.ts';

/** A cluster, used as its administrator. */
export class Cluster {
  /** Path of the administrator's kubeconfig. */
  readonly kubeconfig: string;
  readonly #kubectl: Command;
  readonly #server: string;
  readonly #pki: string;
  #client: ApiClient | undefined;

  /**
   * @param kubectl  the program.
   * @param server   URL of the API server.
   * @param pki  folder with the files of `makePki`; read at the first request.
   */
  constructor(kubectl: Command, server: string, pki: string) {
    this.kubeconfig = join(pki, 'admin.kubeconfig');
    this.#kubectl = kubectl;
    this.#server = server;
    this.#pki = pki;
  }

  /** Runs kubectl as the administrator; the caller checks the exit code. */
  kubectl(args: readonly string[], stdin?: string): Promise<Finished> {
    const options = stdin === undefined ? {} : { stdin };
    return run([...this.#kubectl, '--kubeconfig', this.kubeconfig, ...args], options);
  }

  /** Sends one request as the administrator, which is much faster than kubectl. A body is sent as JSON. */
  request(method: string, path: string, body?: unknown, contentType?: string): Promise<ApiResponse> {
    this.#client ??= new ApiClient(this.#server, this.#administrator());
    return this.#client.request(method, path, body, contentType);
  }

  /** Sends requests as another user, e.g. `jane` or `system:serviceaccount:edge:default`, whom the administrator impersonates. */
  as(user: string): ApiClient {
    return new ApiClient(this.#server, { ...this.#administrator(), headers: { 'impersonate-user': user } });
  }

  /** Sends requests with nothing but a token. */
  withToken(token: string): ApiClient {
    const { ca } = this.#administrator();
    return new ApiClient(this.#server, { ca, headers: { authorization: `Bearer ${token}` } });
  }

  #administrator(): Required<Pick<Credentials, 'ca' | 'cert' | 'key'>> {
    return {
      ca: readFileSync(join(this.#pki, 'ca.crt')),
      cert: readFileSync(join(this.#pki, 'admin.crt')),
      key: readFileSync(join(this.#pki, 'admin.key')),
    };
  }

  /** The API server's metrics, in Prometheus' text format. */
  async metrics(): Promise<string> {
    return (await this.request('GET', '/metrics')).text;
  }

  /** Creates a namespace for one test, with `labels`. */
  async namespace(labels?: Readonly<Record<string, string>>): Promise<string> {
    const name = `test-${randomBytes(5).toString('hex')}`;
    const body = { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } };
    const { status, text } = await this.request('POST', '/api/v1/namespaces', body);
    if (status !== 201) throw new Error(`namespace ${name}: ${String(status)} ${text}`);
    return name;
  }
}

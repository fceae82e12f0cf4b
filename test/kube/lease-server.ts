import { text } from 'node:stream/consumers';
import { answerJson, FakeApiServer, statusObject } from './fake-api-server.ts';

type StoredLease = { metadata: Record<string, string>; spec: Record<string, unknown> };

/** An API server that holds one lease, with the preconditions of the real one. */
export class LeaseServer extends FakeApiServer {
  lease: StoredLease | undefined;
  /** How many writes it took. */
  writes = 0;
  /** Answers nothing while it is true. */
  isSilent = false;
  #version = 0;

  constructor() {
    super((request, response) => {
      if (this.isSilent) return;
      void text(request).then((body) => {
        const [status, answer] = this.#answer(request.method ?? '', body);
        answerJson(response, answer, status);
      });
    });
  }

  /** Changes what somebody else might. */
  touch(): void {
    this.#write(this.lease?.spec ?? {});
  }

  #answer(method: string, body: string): [number, unknown] {
    if (method === 'GET') return this.lease === undefined ? refusal(404, 'NotFound') : [200, this.lease];
    const { metadata, spec } = JSON.parse(body) as StoredLease;
    if (method === 'POST') return this.#create(spec);
    if (this.lease === undefined) return refusal(404, 'NotFound');
    if (this.lease.metadata['resourceVersion'] !== metadata['resourceVersion'])
      return refusal(409, 'Conflict');
    return this.#write({ ...this.lease.spec, ...spec });
  }

  #create(spec: StoredLease['spec']): [number, unknown] {
    return this.lease === undefined ? this.#write(spec) : refusal(409, 'AlreadyExists');
  }

  #write(spec: StoredLease['spec']): [number, unknown] {
    this.writes += 1;
    this.#version += 1;
    const metadata = {
      name: 'realm-operator',
      namespace: 'own',
      uid: 'u',
      resourceVersion: String(this.#version),
    };
    this.lease = { metadata, spec };
    return [200, this.lease];
  }
}

function refusal(code: number, reason: string): [number, unknown] {
  return [code, statusObject(code, reason, 'no')];
}

import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A write that the API server took. */
export type Write = {
  readonly user: string;
  /** `leases`, `configmaps`, … */
  readonly resource: string;
  /** When the request came, and when it was answered: microseconds since 1970. */
  readonly fromMicros: number;
  readonly toMicros: number;
};

type AuditEvent = {
  readonly user: { readonly username: string };
  readonly verb: string;
  readonly requestReceivedTimestamp: string;
  readonly stageTimestamp: string;
  readonly requestURI: string;
  readonly objectRef?: {
    readonly apiGroup?: string;
    readonly namespace?: string;
    readonly resource: string;
    readonly subresource?: string;
  };
  readonly responseStatus?: { readonly code: number };
};

const policy = { apiVersion: 'audit.k8s.io/v1', kind: 'Policy', omitStages: ['RequestReceived'] };
const writingVerbs = ['create', 'update', 'patch', 'delete'];

/** The audit log of an API server of our own. */
export class AuditLog {
  /** With these flags the API server writes it. */
  readonly flags: readonly string[];
  readonly #folder = mkdtempSync(join(tmpdir(), 'realm-operator-audit-'));
  readonly #file: string;

  /** @param verbs  which requests are in it; by default all that write. */
  constructor(verbs: readonly string[] = writingVerbs) {
    this.#file = join(this.#folder, 'audit.log');
    const policyFile = join(this.#folder, 'policy.json');
    writeFileSync(policyFile, JSON.stringify({ ...policy, rules: [{ level: 'Metadata', verbs }] }));
    this.flags = [
      `--audit-policy-file=${policyFile}`,
      `--audit-log-path=${this.#file}`,
      '--audit-log-mode=blocking',
    ];
  }

  /** Every write of the users whose name ends in one of `names` that was taken, in the order of the answers. */
  writes(names: readonly string[]): Write[] {
    return this.#events()
      .filter(({ responseStatus }) => (responseStatus?.code ?? 500) < 300)
      .filter(({ verb }) => writingVerbs.includes(verb))
      .flatMap((event) => {
        const user = names.find((name) => event.user.username.endsWith(`:${name}`));
        return user === undefined ? [] : [write(user, event)];
      })
      .toSorted((a, b) => a.toMicros - b.toMicros);
  }

  /**
   * The rights that the user whose name ends in `name` used, each as `verb group/resource`: in `namespace` alone, where it
   * is given.
   */
  rights(name: string, namespace?: string): ReadonlySet<string> {
    const events = this.#of(name)
      .filter(({ responseStatus }) => responseStatus?.code !== 403)
      .filter(({ objectRef }) => namespace === undefined || objectRef?.namespace === namespace);
    return new Set(events.flatMap(rightsOf));
  }

  /** What the user whose name ends in `name` asked for and was forbidden, each as `verb URI`. */
  forbidden(name: string): string[] {
    return this.#of(name)
      .filter(({ responseStatus }) => responseStatus?.code === 403)
      .map(({ verb, requestURI }) => `${verb} ${requestURI}`);
  }

  /** The namespaces in which the user whose name ends in `name` asked for anything; '' is all of them. */
  namespaces(name: string): ReadonlySet<string> {
    const events = this.#of(name).filter(({ objectRef }) => objectRef !== undefined);
    return new Set(events.map(({ objectRef }) => objectRef?.namespace ?? ''));
  }

  #of(name: string): AuditEvent[] {
    return this.#events().filter(({ user }) => user.username.endsWith(`:${name}`));
  }

  #events(): AuditEvent[] {
    const lines = readFileSync(this.#file, 'utf8').split('\n').slice(0, -1); // what is being written has no end yet
    return lines.map((line) => JSON.parse(line) as AuditEvent);
  }

  /** Removes its files. */
  async remove(): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/** Server-side apply is a patch, which needs the right to create, too, where it makes an object. */
function rightsOf({ verb, objectRef, responseStatus }: AuditEvent): string[] {
  const { apiGroup = '', resource = '', subresource } = objectRef ?? {};
  const what = `${apiGroup}/${[resource, ...(subresource === undefined ? [] : [subresource])].join('/')}`;
  const isCreating = verb === 'patch' && responseStatus?.code === 201;
  return [verb, ...(isCreating ? ['create'] : [])].map((used) => `${used} ${what}`);
}

function write(user: string, { objectRef, requestReceivedTimestamp, stageTimestamp }: AuditEvent): Write {
  return {
    user,
    resource: objectRef?.resource ?? '',
    fromMicros: micros(requestReceivedTimestamp),
    toMicros: micros(stageTimestamp),
  };
}

/** Of `2026-01-02T03:04:05.678901Z`; `Date` knows milliseconds only. */
function micros(time: string): number {
  return Date.parse(`${time.slice(0, 19)}Z`) * 1_000 + Number(time.slice(20, -1).padEnd(6, '0'));
}

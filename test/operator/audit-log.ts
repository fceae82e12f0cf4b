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
  readonly objectRef?: { readonly resource: string };
  readonly responseStatus?: { readonly code: number };
};

const policy = {
  apiVersion: 'audit.k8s.io/v1',
  kind: 'Policy',
  omitStages: ['RequestReceived'],
  rules: [{ level: 'Metadata', verbs: ['create', 'update', 'patch', 'delete'] }],
};

/** The audit log of an API server of our own. */
export class AuditLog {
  /** With these flags the API server writes it. */
  readonly flags: readonly string[];
  readonly #folder = mkdtempSync(join(tmpdir(), 'realm-operator-audit-'));
  readonly #file: string;

  constructor() {
    this.#file = join(this.#folder, 'audit.log');
    const policyFile = join(this.#folder, 'policy.json');
    writeFileSync(policyFile, JSON.stringify(policy));
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
      .flatMap((event) => {
        const user = names.find((name) => event.user.username.endsWith(`:${name}`));
        return user === undefined ? [] : [write(user, event)];
      })
      .toSorted((a, b) => a.toMicros - b.toMicros);
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

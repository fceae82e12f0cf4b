import { existsSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { Cluster } from './cluster.ts';
import { Daemon } from './daemon.ts';
import { eventually } from '../support/eventually.ts';
import { makePki } from './pki.ts';
import { run } from './run.ts';

const bin = join(import.meta.dirname, 'bin');
const addresses = { ipv4: '172.31.0.2', ipv6: 'fd00:172:31::2' }; // of the node; node-init.sh gives them
const server = `https://${addresses.ipv4}:6443`;
const readyTimeoutMs = 120_000;
const lastLines = 5;
const unshareFlags = ['--mount', '--pid', '--net', '--fork', '--kill-child=KILL', '--propagation', 'private'];

/** One request in the API server's audit log. */
export type AuditEvent = {
  readonly user: { readonly username: string };
  readonly verb: string;
  readonly requestURI: string;
  readonly objectRef?: {
    readonly apiGroup?: string;
    readonly resource: string;
    readonly subresource?: string;
  };
  readonly responseStatus?: { readonly code: number };
  /** Among others `authorization.k8s.io/decision`: `allow` or `forbid`. */
  readonly annotations?: Readonly<Record<string, string>>;
};

/**
 * A real one-node cluster: kubelet, containerd, kube-proxy and a control plane, in namespaces of their own.
 *
 * Its only link ends in the network namespace of this process, with routes to its Pods and Services. Run it in a separate
 * namespace (`unshare --net`), so that nothing is visible or left outside.
 */
export class TestNode extends Cluster {
  /** Its own addresses, which its Pods on hostNetwork share. */
  readonly addresses = addresses;
  readonly #folder: string;
  readonly #init: Daemon;

  /** Starts it from a folder that contains its pki; `startNode` does the rest. */
  constructor(folder: string, images: readonly string[]) {
    super([join(bin, 'kube'), 'kubectl'], server, join(folder, 'pki'));
    this.#folder = folder;
    const settings = [
      `FOLDER=${folder}`,
      `BIN=${bin}`,
      `CLIENT=${String(process.pid)}`,
      `IMAGES=${[join(bin, 'pause.tar'), ...images].join(' ')}`,
    ];
    const script = join(import.meta.dirname, 'node-init.sh');
    const command = ['env', ...settings, 'unshare', ...unshareFlags, '--', 'bash', script] as const;
    this.#init = new Daemon('node', command, join(folder, 'init.log'));
  }

  /** Resolves when the node is Ready. */
  async ready(): Promise<void> {
    const ended = await eventually(
      'node Ready',
      async () => {
        const reason = this.#init.endReason();
        if (reason !== undefined) return { reason }; // waiting longer is useless
        const { status, text } = await this.request('GET', '/api/v1/nodes/node1');
        return status === 200 && isReady(text) && { reason };
      },
      { timeoutMs: readyTimeoutMs, intervalMs: 100 },
    );
    if (ended.reason !== undefined) throw ended.reason;
  }

  /** The requests of the service account `namespace`/`name` to the API server so far. */
  auditLog(namespace: string, name: string): readonly AuditEvent[] {
    return readFileSync(join(this.#folder, 'log', 'audit.log'), 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as AuditEvent)
      .filter(({ user }) => user.username === `system:serviceaccount:${namespace}:${name}`);
  }

  /** The last log lines of each of its programs. */
  lastLogLines(): string {
    const folder = join(this.#folder, 'log');
    const files = existsSync(folder) ? readdirSync(folder).filter((name) => name !== 'audit.log') : [];
    return files.map((name) => `--- ${name}\n${tail(join(folder, name))}`).join('\n');
  }

  /** Stops everything in it and removes its files. */
  async stop(): Promise<void> {
    await this.#init.stop(0); // its pid 1 handles no signal, so only SIGKILL ends it
    await eventually('cgroups of the node gone', () => removeCgroups(basename(this.#folder)));
    // Sockets that wait for an answer keep its network for minutes; the next node needs the name of its link.
    await run(['ip', 'link', 'delete', 'node']); // fails if it is gone already
    await rm(this.#folder, { recursive: true, force: true });
  }
}

function tail(file: string): string {
  return readFileSync(file, 'utf8').trimEnd().split('\n').slice(-lastLines).join('\n');
}

function isReady(node: string): boolean {
  const { status } = JSON.parse(node) as { status: { conditions?: { type: string; status: string }[] } };
  return (
    status.conditions?.some((condition) => condition.type === 'Ready' && condition.status === 'True') ?? false
  );
}

/** The kernel keeps a cgroup until the last of its processes is gone, a moment after the kill. */
async function removeCgroups(folder: string): Promise<boolean> {
  const root = '/sys/fs/cgroup';
  const groups = readdirSync(root).map((hierarchy) => join(root, hierarchy, `kube-${folder}`));
  for (const group of groups.filter((path) => existsSync(path))) {
    await run(['find', group, '-depth', '-type', 'd', '-exec', 'rmdir', '{}', '+']);
  }
  return groups.every((path) => !existsSync(path));
}

/**
 * Starts a node that has `images` (OCI archives) and waits until it is Ready. The caller stops it. Needs root
 * and what `make cluster` builds.
 */
export async function startNode(images: readonly string[]): Promise<TestNode> {
  const folder = mkdtempSync(join(tmpdir(), 'realm-operator-node-'));
  await makePki(folder, server, Object.values(addresses));
  const node = new TestNode(folder, images);
  try {
    await node.ready();
  } catch (error) {
    const logs = node.lastLogLines();
    await node.stop();
    throw new Error(`the node does not come up\n${logs}`, { cause: error });
  }
  return node;
}

import { globSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { adminPort } from '../../src/api/schema/endpoint.ts';
import { run, runOrThrow } from '../cluster/run.ts';
import { startNode, type TestNode } from '../cluster/node.ts';
import { imageArchive, installOperator, kubectl } from '../e2e/install.ts';
import { applyManifest, applyTlsSecret, clusterAddresses, relayManifest } from '../e2e/relay.ts';
import { serveClusterDns } from '../e2e/full/cluster-dns.ts';
import type { Random } from '../fuzz/mutator.ts';
import { DnsServer } from '../relay/dns/dns-server.ts';
import { Loopback } from '../relay/loopback.ts';
import { TestPki } from '../relay/transport/pki.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/free-port.ts';
import type { Entrances } from './clients.ts';
import { commonFaults } from './common-faults.ts';
import type { Fault } from './faults.ts';
import { webSocketHost, webSocketPath } from './framing.ts';
import { sampleOf } from './metrics.ts';
import { cutFault, lossFault } from './network-faults.ts';
import { Remote } from './remotes.ts';
import type { RelayUnderLoad, Sample } from './soak.ts';
import { chosen, type StreamBook } from './stream.ts';

/** The address at which the node reaches this process. */
const ourAddress = '172.31.0.1';
const name = 'backend.soak.example';
const serverName = 'soak.example';
const relayName = 'soak';
const secretName = 'soak-tls';
const ports = { TCP: 7001, TLS: 7002, WebSocket: 7003, UDP: 7004 } as const;
const replicas = 2;
// The kubelet waits up to five minutes before it starts a container again that ends often.
const patience = { timeoutMs: 360_000, intervalMs: 200 };

/** The kernel closes the sockets of a process that was killed, by FIN if all was read. */
const ofKilled = ['reset', 'ended early', 'reset not passed on'] as const;

type Pod = { readonly name: string; readonly uid: string; readonly ip: string; readonly restarts: number };

/** Two relay Pods behind a Service on a real node, with an operator; remotes and name server are in this process. */
export class NodeRelay implements RelayUnderLoad {
  readonly probes = 8;
  readonly faults: readonly Fault[];
  readonly ca: Buffer;
  readonly serverName = serverName;
  readonly #node: TestNode;
  readonly #namespace: string;
  readonly #loopback: Loopback;
  readonly #remotes: readonly Remote[];
  #entrances: Entrances | undefined;
  #edits = 0;

  private constructor(node: TestNode, namespace: string, prepared: Prepared) {
    this.#node = node;
    this.#namespace = namespace;
    this.#loopback = prepared.loopback;
    this.#remotes = prepared.remotes;
    this.ca = prepared.ca;
    const remotePorts = prepared.remotes.map(({ port }) => port);
    this.faults = [
      ...commonFaults({ remotes: prepared.remotes, dns: prepared.dns, name }),
      this.#edit(),
      this.#podFault('a Pod is deleted', [], (pod) => this.#delete(pod)),
      this.#podFault('a Pod is deleted at once', ofKilled, (pod) =>
        this.#delete(pod, '--grace-period=0', '--force'),
      ),
      this.#podFault('a relay is killed', ofKilled, async (pod) => {
        await runOrThrow(['kill', '-KILL', String(processOf(pod))]);
      }),
      this.#descriptors(),
      cutFault('the network to the clients is cut', [ports.TCP, ports.TLS, ports.WebSocket, ports.UDP]),
      cutFault('the network to the remotes is cut', remotePorts),
      prepared.loss,
    ];
  }

  /** Starts a node, an operator and the relay. The caller ends it. @param print  reports what this machine cannot do. */
  static async start(book: StreamBook, print: (line: string) => void): Promise<NodeRelay> {
    const node = await startNode([imageArchive]);
    try {
      await installOperator(node);
      const namespace = await node.namespace({ 'pod-security.kubernetes.io/enforce': 'restricted' });
      const prepared = await prepare(node, namespace, book, print);
      const relay = new NodeRelay(node, namespace, prepared);
      await relay.#apply();
      const { ipv4, ipv6 } = await clusterAddresses(node, namespace, relayName);
      relay.#entrances = {
        TCP: { host: ipv6, port: ports.TCP },
        TLS: { host: ipv4, port: ports.TLS },
        WebSocket: { host: ipv6, port: ports.WebSocket },
        UDP: { host: ipv4, port: ports.UDP },
      };
      return relay;
    } catch (error) {
      print(node.lastLogLines());
      await node.stop();
      throw error;
    }
  }

  entrances(): Entrances {
    if (this.#entrances === undefined) throw new Error('the relay has not started');
    return this.#entrances;
  }

  async samples(): Promise<readonly Sample[]> {
    const sinceMs = Date.now();
    const pods = await this.#pods();
    return Promise.all(
      pods.map((pod) =>
        eventually(`a new status of ${pod.name}`, async () => {
          const [status, metrics] = await Promise.all(
            ['status', 'metrics'].map(async (page) => {
              const response = await fetch(`http://${pod.ip}:${String(adminPort)}/${page}`);
              return response.text();
            }),
          );
          const process = `${pod.name}, start ${String(pod.restarts)}`;
          return sampleOf(process, { status: status ?? '', metrics: metrics ?? '' }, sinceMs);
        }),
      ),
    );
  }

  async end(): Promise<void> {
    await this.#loopback.closeAll();
    await this.#node.stop();
  }

  /** Applies the RealmRelay in another variant, and resolves once every Pod runs it. */
  async #apply(): Promise<void> {
    const variant = this.#edits;
    this.#edits += 1;
    const remotes = this.#remotes.map(({ port }) => ({ address: name, port }));
    const endpoints = Object.entries(ports).map(([kind, port]) => ({
      name: kind.toLowerCase(),
      listen: { address: '::', port },
      remotes: variant % 2 === 0 ? remotes : remotes.toReversed(),
      balance: (['RoundRobin', 'IPHash', 'LeastConnections'] as const)[variant % 3] ?? 'RoundRobin',
      network:
        kind === 'UDP'
          ? { tcp: false, udp: true, udpTimeoutSeconds: 2 }
          : { tcpTimeoutSeconds: 4 + (variant % 3) },
      ...transports[kind],
    }));
    const beside = { name: `beside${String(variant % 7)}`, listen: { address: '::', port: 7100 }, remotes };
    const resources = { limits: { memory: '160Mi' }, requests: { memory: '64Mi' } };
    const manifest = relayManifest(relayName, [...endpoints, beside], {
      replicas,
      resources,
      drainSeconds: 20,
    });
    await applyManifest(this.#node, this.#namespace, relayName, manifest);
  }

  #edit(): Fault {
    return {
      name: 'edits of the RealmRelay',
      excuses: [],
      begin: async () => {
        for (let edit = 0; edit < 3; edit += 1) await this.#apply();
        return { end: () => Promise.resolve() };
      },
    };
  }

  /** Something that happens to the younger Pod; the older one lives through the whole run, so that a leak shows. */
  #podFault(what: string, excuses: Fault['excuses'], act: (pod: Pod) => Promise<unknown>): Fault {
    return {
      name: what,
      excuses,
      begin: async () => {
        const pods = await this.#pods();
        const pod = pods.toSorted((a, b) => a.restarts - b.restarts)[0];
        if (pod === undefined) throw new Error('no relay Pod is ready');
        await act(pod);
        return { lasted: this.#replaced(pod), end: () => Promise.resolve() };
      },
    };
  }

  /** Resolves once all Pods are ready again, `pod` not as it was. */
  async #replaced(pod: Pod): Promise<void> {
    await eventually(
      'all Pods ready again',
      async () => {
        const pods = await this.#pods();
        const isThere = pods.some(({ uid, restarts }) => uid === pod.uid && restarts === pod.restarts);
        if (pods.length === replicas && !isThere) return true;
        throw new Error(`ready are ${JSON.stringify(pods)}, in place of ${JSON.stringify(pod)}`);
      },
      patience,
    );
  }

  async #delete(pod: Pod, ...flags: readonly string[]): Promise<void> {
    await kubectl(this.#node, ['-n', this.#namespace, 'delete', 'pod', pod.name, '--wait=false', ...flags]);
  }

  /** The soft limit of open files of a running relay falls to little more than it has open. */
  #descriptors(): Fault {
    return {
      name: 'descriptors are short',
      excuses: ['reset', 'ended early'],
      begin: async (random: Random) => {
        const pids = (await this.#pods()).map(processOf);
        const before = pids.map((pid) => ({ pid, soft: openFilesLimit(pid) }));
        for (const pid of pids)
          await limitOpenFiles(pid, String(openFiles(pid) + chosen([2, 6, 12], random)));
        return {
          lasted: delay(3_000),
          end: async () => {
            for (const { pid, soft } of before) await limitOpenFiles(pid, soft);
          },
        };
      },
    };
  }

  /** The ready Pods, the oldest first. */
  async #pods(): Promise<readonly Pod[]> {
    const selector = `labelSelector=app.kubernetes.io%2Finstance%3D${relayName}`;
    const answer = await this.#node.request('GET', `/api/v1/namespaces/${this.#namespace}/pods?${selector}`);
    const { items } = answer.json() as { items: readonly PodObject[] };
    return items
      .filter(({ metadata, status }) => {
        const isReady =
          status.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false;
        return metadata.deletionTimestamp === undefined && isReady;
      })
      .toSorted((a, b) => (a.metadata.creationTimestamp < b.metadata.creationTimestamp ? -1 : 1))
      .map(({ metadata, status }) => ({
        name: metadata.name,
        uid: metadata.uid,
        ip: status.podIP ?? '',
        restarts: status.containerStatuses?.[0]?.restartCount ?? 0,
      }));
  }
}

type PodObject = {
  readonly metadata: {
    readonly name: string;
    readonly uid: string;
    readonly creationTimestamp: string;
    readonly deletionTimestamp?: string;
  };
  readonly status: {
    readonly podIP?: string;
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
    readonly containerStatuses?: readonly { readonly restartCount: number }[];
  };
};

const transports: Readonly<Record<string, object>> = {
  TLS: { listenTransport: { tls: { secretName } } },
  WebSocket: { listenTransport: { webSocket: { host: webSocketHost, path: webSocketPath } } },
};

type Prepared = {
  readonly loopback: Loopback;
  readonly remotes: readonly Remote[];
  readonly dns: DnsServer;
  readonly ca: Buffer;
  readonly loss: Fault;
};

async function prepare(
  node: TestNode,
  namespace: string,
  book: StreamBook,
  print: (line: string) => void,
): Promise<Prepared> {
  // A peer that vanished without a word is given up after half a minute instead of a quarter of an hour.
  await runOrThrow(['sysctl', '-qw', 'net.ipv4.tcp_retries2=6']);
  const loopback = new Loopback();
  const pki = new TestPki();
  loopback.onClose(() => {
    pki.remove();
  });
  const remotes = [
    new Remote(book, ourAddress, await freePort()),
    new Remote(book, ourAddress, await freePort()),
  ];
  for (const remote of remotes) {
    await remote.listen();
    loopback.onClose(() => remote.close());
  }
  const dns = new DnsServer({ [name]: { A: [ourAddress] } }, 1);
  const nameserver = await dns.listen(loopback, ourAddress);
  await serveClusterDns(node, Number(nameserver.split(':')[1]));
  await applyTlsSecret(node, namespace, secretName, pki.pair(serverName));
  return { loopback, remotes, dns, ca: readFileSync(pki.ca), loss: await lossFault(print) };
}

/** The process of the relay in `pod`, as this process sees it. */
function processOf({ uid }: Pod): number {
  const found = globSync('/proc/[0-9]*/cgroup').flatMap((file) => {
    const folder = file.slice(0, -'cgroup'.length);
    try {
      const isOfPod = readFileSync(file, 'utf8').includes(`pod${uid}`);
      const isRelay = readFileSync(`${folder}cmdline`, 'utf8').includes('relay\0');
      return isOfPod && isRelay ? [Number(folder.split('/')[2])] : [];
    } catch {
      return []; // it has ended meanwhile
    }
  });
  const [pid] = found;
  if (pid === undefined) throw new Error(`no process of the Pod ${uid}`);
  return pid;
}

function openFiles(pid: number): number {
  return globSync(`/proc/${String(pid)}/fd/*`).length;
}

function openFilesLimit(pid: number): string {
  const limits = readFileSync(`/proc/${String(pid)}/limits`, 'utf8');
  return /^Max open files +(\S+)/m.exec(limits)?.[1] ?? '';
}

/** It may have ended meanwhile. */
async function limitOpenFiles(pid: number, soft: string): Promise<void> {
  await run(['prlimit', '--pid', String(pid), `--nofile=${soft}:`]);
}

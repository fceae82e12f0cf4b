import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { RealmDocument, RealmNetwork } from '../../src/config/realm-document.ts';
import type { Random } from '../fuzz/mutator.ts';
import { DnsServer } from '../relay/dns/dns-server.ts';
import { Loopback } from '../relay/loopback.ts';
import { RelayProcess, replaceConfig } from '../relay/relay-process.ts';
import { TestPki } from '../relay/transport/pki.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/free-port.ts';
import type { Entrances } from './clients.ts';
import { commonFaults } from './common-faults.ts';
import type { Fault } from './faults.ts';
import { webSocketHost, webSocketPath } from './framing.ts';
import { sampleOf } from './metrics.ts';
import { Remote } from './remotes.ts';
import type { RelayUnderLoad, Sample } from './soak.ts';
import { chosen, type StreamBook } from './stream.ts';

const host = '127.0.0.1';
const name = 'backend.soak.example';
const serverName = 'soak.example';
const probe = pathToFileURL(join(import.meta.dirname, 'timer-probe.ts')).href;
/** Open files that leave descriptors for some more clients than the lanes. */
const openFiles = 192;
/** Idle connections that exceed them. */
const crowdSize = 120;

/** The relay program on loopback, with its remotes and its name server in this process. */
export class LoopbackRelay implements RelayUnderLoad {
  readonly faults: readonly Fault[];
  readonly probes = 2;
  readonly ca: Buffer;
  readonly serverName = serverName;
  readonly #loopback: Loopback;
  readonly #relay: RelayProcess;
  readonly #path: string;
  readonly #document: (network: RealmNetwork, variant: number) => RealmDocument;
  readonly #entrances: Entrances;
  #reloads = 0;

  private constructor(prepared: Prepared) {
    this.#loopback = prepared.loopback;
    this.#path = prepared.path;
    this.#document = prepared.document;
    this.#entrances = prepared.entrances;
    this.ca = prepared.ca;
    replaceConfig(this.#path, this.#document({}, 0));
    const argv = ['-c', this.#path, '--admin', `${host}:0`, '-n', String(openFiles)];
    this.#relay = new RelayProcess(argv, [], { NODE_OPTIONS: `--import ${probe}` });
    this.faults = [
      ...commonFaults({ remotes: prepared.remotes, dns: prepared.dns, name }),
      this.#reload(),
      this.#crowd(),
    ];
  }

  /** Starts all of it. The caller ends it. */
  static async start(book: StreamBook): Promise<LoopbackRelay> {
    const relay = new LoopbackRelay(await prepare(book));
    await relay.#relay.logged('relay started').catch(async (error: unknown) => {
      await relay.end();
      throw error;
    });
    return relay;
  }

  /** Where its clients connect. */
  entrances(): Entrances {
    return this.#entrances;
  }

  async samples(): Promise<readonly Sample[]> {
    const sinceMs = Date.now();
    const usage = { timers: await this.#timers() };
    const sample = await eventually('a new status', async () => {
      const pages = {
        status: (await this.#relay.get('/status')).body,
        metrics: (await this.#relay.get('/metrics')).body,
      };
      return sampleOf('relay', pages, sinceMs);
    });
    return [{ ...sample, usage: { ...sample.usage, ...usage } }];
  }

  /** What the relay printed to standard error; '' after a good run. */
  get stderr(): string {
    return this.#relay.stderr;
  }

  async end(): Promise<void> {
    await this.#relay.end();
    await this.#loopback.closeAll();
  }

  async #timers(): Promise<number> {
    const from = this.#relay.lines.length;
    this.#relay.kill('SIGWINCH');
    const line = await eventually('the number of timers', () =>
      this.#relay.lines.slice(from).find(({ msg }) => msg === 'timers'),
    );
    return Number(line['timers']);
  }

  #reload(): Fault {
    return {
      name: 'reloads',
      excuses: [],
      begin: async (random: Random) => {
        for (let edit = 0; edit < 3; edit += 1) {
          this.#reloads += 1;
          const network = {
            tcp_timeout: 4 + Math.floor(random() * 3),
            max_connections: chosen([0, 500], random),
          };
          const hash = replaceConfig(this.#path, this.#document(network, this.#reloads));
          await eventually(
            'the new configuration',
            async () => (await this.#relay.status()).configHash === hash,
          );
        }
        return { end: () => Promise.resolve() };
      },
    };
  }

  /** Connections that use up the descriptors: those that come later wait in the kernel until the crowd has gone. */
  #crowd(): Fault {
    return {
      name: 'descriptors are short',
      excuses: [],
      begin: async () => {
        const crowd: Socket[] = [];
        for (let i = 0; i < crowdSize; i += 1) {
          const socket = connect(this.#entrances.TCP).on('error', () => undefined);
          crowd.push(socket);
          await once(socket, 'connect');
        }
        const short = async (): Promise<boolean> => (await this.#relay.status()).descriptorsShort > 0;
        return {
          lasted: eventually('descriptors are short', short),
          end: () => {
            for (const socket of crowd) socket.destroy();
            return Promise.resolve();
          },
        };
      },
    };
  }
}

type Prepared = {
  readonly loopback: Loopback;
  readonly path: string;
  readonly ca: Buffer;
  readonly entrances: Entrances;
  readonly remotes: readonly Remote[];
  readonly dns: DnsServer;
  readonly document: (network: RealmNetwork, variant: number) => RealmDocument;
};

async function prepare(book: StreamBook): Promise<Prepared> {
  const loopback = new Loopback();
  const pki = new TestPki();
  loopback.onClose(() => {
    pki.remove();
  });
  const remotes = [new Remote(book, host, await freePort()), new Remote(book, host, await freePort())];
  for (const remote of remotes) {
    await remote.listen();
    loopback.onClose(() => remote.close());
  }
  const dns = new DnsServer({ [name]: { A: [host] } }, 1);
  const nameserver = await dns.listen(loopback);
  const entrances = {
    TCP: { host, port: await freePort() },
    TLS: { host, port: await freePort() },
    WebSocket: { host, port: await freePort() },
    UDP: { host, port: await freePort() },
  };
  const { cert, key } = pki.pair(serverName);
  const transports = {
    TLS: `tls;cert=${cert};key=${key}`,
    WebSocket: `ws;host=${webSocketHost};path=${webSocketPath}`,
  };
  return {
    loopback,
    path: join(loopback.folder(), 'config.json'),
    ca: readFileSync(pki.ca),
    entrances,
    remotes,
    dns,
    document: documentOf({ entrances, remotes, nameserver, transports }),
  };
}

type Served = Pick<Prepared, 'entrances' | 'remotes'> & {
  readonly nameserver: string;
  readonly transports: Readonly<Record<string, string>>;
};

/** The configuration of a variant: another order of remotes, balance and another endpoint beside. */
function documentOf({ entrances, remotes, nameserver, transports }: Served): Prepared['document'] {
  return (network, variant) => {
    const addresses = remotes.map(({ port }) => `${name}:${String(port)}`);
    const [remote = '', ...extra_remotes] = variant % 2 === 0 ? addresses : addresses.toReversed();
    const balance = ['roundrobin: 2, 1', 'iphash: 1, 1', 'off'][variant % 3] ?? '';
    const endpoints = Object.entries(entrances).map(([kind, { port }]) => ({
      name: kind.toLowerCase(),
      listen: `${host}:${String(port)}`,
      remote,
      extra_remotes,
      balance,
      ...(transports[kind] !== undefined && { listen_transport: transports[kind] }),
      network: kind === 'UDP' ? { no_tcp: true, use_udp: true, udp_timeout: 1 } : network,
    }));
    const beside = { name: `beside${String(variant)}`, listen: `${host}:0`, remote: `${host}:1` };
    return {
      dns: { mode: 'ipv4_only', nameservers: [nameserver], protocol: 'udp' },
      endpoints: [...endpoints, beside],
    };
  };
}

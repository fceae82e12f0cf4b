import { spawn, spawnSync } from 'node:child_process';
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect } from 'chai';
import { dump } from 'js-yaml';
import type { RelayStatus } from '../../src/relay/admin/status.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/free-port.ts';
import { endpoint, realmRelay } from '../support/realm-relays.ts';

/** The folder of this project. */
export const root = join(import.meta.dirname, '..', '..');

/** Runs a target of the Makefile, as a user does, without installing the dependencies again. @throws Error with its output. */
export function make(target: string): void {
  runOrThrow('make', ['-o', 'node_modules', target], { cwd: root });
}

/** Runs a program to its end. @returns its output. @throws Error with all its output if it fails. */
export function runOrThrow(
  file: string,
  args: readonly string[],
  options: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv } = {},
): string {
  const { status, stdout, stderr, error } = spawnSync(file, args, { encoding: 'utf8', ...options });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`${file} ${args.join(' ')}: ${String(status)}: ${stdout}${stderr}`);
  return stdout;
}

/** What an installed program needs besides its files: programs of the system, but no Node.js of this project. */
export const systemOnly: NodeJS.ProcessEnv = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' };

/** An installed program that relays TCP of both families and UDP from one port to remotes, by two threads. */
export class InstalledRelay {
  readonly port: number;
  readonly #adminPort: number;
  readonly folder: string;
  log = '';
  #remote: Server | undefined;
  #udpRemote: UdpSocket | undefined;
  /** Of the processes that served: more than one after upgrades. */
  readonly pids: number[] = [];

  private constructor(port: number, adminPort: number) {
    this.port = port;
    this.#adminPort = adminPort;
    this.folder = mkdtempSync(join(tmpdir(), 'realm-installed-'));
  }

  /** @param command  of the installed program, without arguments. */
  static async start(command: string, env: NodeJS.ProcessEnv = systemOnly): Promise<InstalledRelay> {
    const relay = new InstalledRelay(await freePort(), await freePort());
    relay.#remote = createServer((socket) => socket.end('hello')).listen(0, '127.0.0.1');
    await once(relay.#remote, 'listening');
    const remotes = [{ address: '127.0.0.1', port: (relay.#remote.address() as AddressInfo).port }];
    relay.#udpRemote = await udpEcho();
    const udpRemotes = [{ address: '127.0.0.1', port: relay.#udpRemote.address().port }];
    const { port } = relay;
    const endpoints = [
      endpoint({ name: 'v6', address: '::1', port, network: { ipv6Only: true }, remotes }),
      endpoint({ name: 'v4', address: '127.0.0.1', port, remotes }),
      endpoint({
        name: 'udp',
        address: '127.0.0.1',
        port,
        network: { tcp: false, udp: true },
        remotes: udpRemotes,
      }),
    ];
    const manifests = join(relay.folder, 'manifests');
    mkdirSync(manifests);
    writeFileSync(join(manifests, 'web.yaml'), dump(realmRelay(endpoints, { workers: 2 }), { noRefs: true }));
    const admin = `127.0.0.1:${String(relay.#adminPort)}`;
    const child = spawn(command, ['standalone', '--filename', manifests, '--admin', admin], {
      env,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    child.stderr.on('data', (part: Buffer) => (relay.log += part.toString()));
    child.once('error', (error) => (relay.log += String(error)));
    relay.pids.push(child.pid ?? 0);
    return relay;
  }

  /** What a client of each family receives, IPv4 first, as soon as both are served. */
  async greetings(): Promise<string[]> {
    const greet = (host: string): Promise<string> => text(connect({ host, port: this.port }));
    return eventually('both families are served', () => Promise.all(['127.0.0.1', '::1'].map(greet))).catch(
      (cause: unknown) => {
        throw new Error(`not served: ${this.log}`, { cause });
      },
    );
  }

  /** What a client of UDP receives for a datagram, as soon as it is served. */
  async echo(text: string): Promise<string> {
    const client = createSocket('udp4');
    let answer: string | undefined;
    client.on('message', (datagram) => (answer ??= datagram.toString()));
    try {
      return await eventually('an answer to a datagram', () => {
        if (answer === undefined) client.send(text, this.port, '127.0.0.1');
        return answer;
      });
    } finally {
      client.close();
    }
  }

  /** How many threads serve, as the relay reports it. The first client of an idle relay goes to the second one. */
  async threads(): Promise<number | undefined> {
    const url = `http://127.0.0.1:${String(this.#adminPort)}/status`;
    const response = await fetch(url, { headers: { connection: 'close' } }); // a kept one leads to the process before
    return ((await response.json()) as RelayStatus).workers?.running.length;
  }

  /** Expects it to serve TCP clients of both families, and UDP, by two threads. */
  async expectService(): Promise<void> {
    expect(await this.greetings()).to.deep.equal(['hello', 'hello']);
    expect(await this.echo('ping')).to.equal('ping');
    expect(await this.threads()).to.equal(2);
  }

  /** Waits until another process serves in place of this one. */
  async succeeded(): Promise<void> {
    const pattern = /"successor":([0-9]+)/g;
    const count = this.pids.length;
    const pid = await eventually('a successor', () => [...this.log.matchAll(pattern)][count - 1]?.[1]);
    this.pids.push(Number(pid));
  }

  /** Ends it, and removes its files. */
  end(): void {
    for (const pid of this.pids) kill(pid);
    this.#remote?.close();
    this.#udpRemote?.close();
    rmSync(this.folder, { recursive: true });
  }
}

/** A socket that sends back each datagram. */
async function udpEcho(): Promise<UdpSocket> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1');
  socket.on('message', (datagram, { port, address }) => {
    socket.send(datagram, port, address);
  });
  await once(socket, 'listening');
  return socket;
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // has ended
  }
}

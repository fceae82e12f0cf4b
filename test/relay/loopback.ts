import { createHash } from 'node:crypto';
import { createSocket, type RemoteInfo, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RealmEndpoint, RealmNetwork } from '../../src/config/realm-document.ts';
import { relayConfig } from '../../src/config/parsed-config.ts';
import type { RelayConfig } from '../../src/config/relay-config.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { reserveOf } from '../../src/relay/limits/descriptor-budget.ts';
import { RelayServer, type RelayOptions } from '../../src/relay/server.ts';
import type { EndpointStatus } from '../../src/relay/admin/status.ts';
import { createLogger, type Logger } from '../../src/telemetry/logger.ts';
import { eventually } from '../support/eventually.ts';
import { testEngine } from './engines.ts';

/** One line of the log, parsed. */
export type LogLine = Readonly<Record<string, unknown>> & { readonly msg: string };

/** A logger, and the lines that it has written. */
export type KeptLog = { readonly log: Logger; readonly lines: readonly LogLine[] };

/** A logger that keeps its lines in memory. */
export function keptLog(): KeptLog {
  const lines: LogLine[] = [];
  return { log: createLogger('debug', { write: (line) => lines.push(JSON.parse(line) as LogLine) }), lines };
}

/** How often `message` was logged. */
export function times(lines: readonly LogLine[], message: string): number {
  return lines.filter(({ msg }) => msg === message).length;
}

/** The first line that says `message`, once it is logged. */
export function loggedLine(lines: readonly LogLine[], message: string): Promise<LogLine> {
  return eventually(`"${message}" in the log`, () => lines.find(({ msg }) => msg === message));
}

/** The configuration with these endpoints. */
export function config(...endpoints: RealmEndpoint[]): RelayConfig {
  return relayConfig({ endpoints }, 'test').config;
}

/** An endpoint on any free port of 127.0.0.1. */
export function endpoint(
  remote: string,
  fields: Partial<RealmEndpoint> = {},
  network: RealmNetwork = {},
): RealmEndpoint {
  return { name: 'web', listen: '127.0.0.1:0', remote, network, ...fields };
}

/** Network settings without the idle sweep of half-closed connections: for tests that count a relay's timers. */
export const noIdleSweep = { tcp_half_close_timeout: 0 };

/** The limit of open files that leaves `descriptors` to clients and listening sockets. */
export function openFilesFor(descriptors: number): number {
  let files = descriptors;
  while (files - reserveOf(files) < descriptors) files += 1;
  return files;
}

/** A relay, and the lines that it has logged. */
export type TestRelay = { readonly relay: RelayServer; readonly lines: readonly LogLine[] };

/** Real sockets and relays on this machine; `closeAll` closes all of them. */
export class Loopback {
  readonly #closers: (() => Promise<void> | void)[] = [];

  /** To be called after each test, so that a failed one does not keep the process alive. */
  async closeAll(): Promise<void> {
    for (const close of this.#closers.splice(0)) await close();
  }

  /** Runs `close` when the test is over. */
  onClose(close: () => Promise<void> | void): void {
    this.#closers.push(close);
  }

  /** A new folder, which is removed when the test is over. */
  folder(): string {
    const folder = mkdtempSync(join(tmpdir(), 'realm-relay-'));
    this.onClose(() => {
      rmSync(folder, { recursive: true });
    });
    return folder;
  }

  /** A relay with this configuration, whose sockets are bound. */
  async relay(first: RelayConfig, options: Partial<RelayOptions> = {}): Promise<TestRelay> {
    const { log, lines } = keptLog();
    const relay = new RelayServer({ log, clock: systemClock, engine: testEngine, ...options });
    this.onClose(() => relay.close());
    await relay.reload(first);
    return { relay, lines };
  }

  /** A TCP server, whose sockets allow half-open connections. @returns its address, for example `127.0.0.1:4711`. */
  async tcpRemote(onConnection: (socket: Socket) => void, host = '127.0.0.1'): Promise<string> {
    const server = await this.tcpServer(onConnection, host);
    return addressText(server.address() as AddressInfo);
  }

  /** A TCP server on `port`; 0 = any free one. */
  async tcpServer(onConnection: (socket: Socket) => void, host = '127.0.0.1', port = 0): Promise<Server> {
    const sockets = new Set<Socket>();
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      sockets.add(socket);
      socket.on('error', () => undefined);
      onConnection(socket);
    }).listen({ host, port, ipv6Only: true });
    this.onClose(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    await once(server, 'listening');
    return server;
  }

  /** A TCP remote that sends `greeting` and ends. */
  greeter(greeting: string, host?: string): Promise<string> {
    return this.tcpRemote((socket) => socket.end(greeting), host);
  }

  /** A TCP remote that sends back what it receives. */
  echo(host?: string): Promise<string> {
    return this.tcpRemote((socket) => socket.pipe(socket), host);
  }

  /** Everything that a client of `address` receives without sending anything. */
  async greeting(address: string): Promise<string> {
    const client = await this.client(address);
    const text = await received(client);
    client.end();
    return text;
  }

  /** A connected client of `address` that allows half-open connections; a test may listen to its errors. */
  async client(address: string, from?: string): Promise<Socket> {
    const socket = this.dial(address, from);
    await once(socket, 'connect');
    return socket;
  }

  /** A client that starts to connect, optionally from the address `from`. */
  dial(address: string, from?: string): Socket {
    const socket = connect({
      ...split(address),
      ...(from !== undefined && { localAddress: from }),
      allowHalfOpen: true,
    });
    socket.on('error', () => undefined);
    this.onClose(() => {
      socket.destroy();
    });
    return socket;
  }

  /** Sends `text` from `client`. @returns what comes back first. */
  async exchange(client: Socket, text: string): Promise<string> {
    client.write(text);
    const [answer] = (await once(client, 'data')) as [Buffer];
    return answer.toString();
  }

  /** Sends a datagram with `text` from `client` to `address`. @returns what comes back first. */
  async exchangeDatagram(client: UdpSocket, address: string, text: string): Promise<string> {
    const answer = datagram(client);
    const { host, port } = split(address);
    client.send(text, port, host);
    return (await answer).toString();
  }

  /** A UDP socket on `port` of `host`; 0 = any free one. */
  async udp(
    host = '127.0.0.1',
    onDatagram?: (datagram: Buffer, from: RemoteInfo, self: UdpSocket) => void,
    port = 0,
  ): Promise<UdpSocket> {
    const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
    socket.on('error', () => undefined);
    let isClosed = false;
    socket.once('close', () => (isClosed = true));
    this.onClose(() => {
      if (!isClosed) socket.close();
    });
    const listening = once(socket, 'listening');
    socket.bind(port, host);
    await listening;
    if (onDatagram !== undefined)
      socket.on('message', (datagram, from) => {
        onDatagram(datagram, from, socket);
      });
    return socket;
  }

  /** A UDP remote that sends back each datagram with `prefix` before it, on `ownPort`; 0 = any free one. */
  async udpEcho(prefix = '', host?: string, ownPort = 0): Promise<string> {
    const echo = (datagram: Buffer, { address, port }: RemoteInfo, self: UdpSocket): void => {
      self.send(Buffer.concat([Buffer.from(prefix), datagram]), port, address);
    };
    const socket = await this.udp(host, echo, ownPort);
    return addressText(socket.address());
  }
}

/** `address` as Realm writes it. */
export function addressText({ address, port }: { readonly address: string; readonly port: number }): string {
  return `${address.includes(':') ? `[${address}]` : address}:${String(port)}`;
}

/** Host without brackets, and port. */
export function split(address: string): { readonly host: string; readonly port: number } {
  const colon = address.lastIndexOf(':');
  return { host: address.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(address.slice(colon + 1)) };
}

/** The status of the endpoint `name`. */
export function statusOf(relay: RelayServer, name = 'web'): EndpointStatus {
  const found = relay.status().endpoints.find((each) => each.name === name);
  if (found === undefined) throw new Error(`no endpoint ${name}`);
  return found;
}

/** Where the endpoint `name` listens. */
export function listenOf(relay: RelayServer, name?: string): string {
  return statusOf(relay, name).listen;
}

/** Everything that `socket` receives until its end. */
export async function received(socket: Socket): Promise<string> {
  return Buffer.concat(await received.bytes(socket)).toString();
}

/** Like `received`, but in parts. Unlike `for await` it leaves the socket open for writing. */
received.bytes = async (socket: Socket): Promise<Buffer[]> => {
  const parts: Buffer[] = [];
  socket.on('data', (part: Buffer) => parts.push(part));
  await once(socket, 'end');
  return parts;
};

/** The SHA-256 of everything that `socket` brings, read with a pause after every few parts: its peer has to wait. */
export async function slowHash(socket: Socket, partsBetweenPauses = 16): Promise<string> {
  const hash = createHash('sha256');
  let parts = 0;
  socket.on('data', (part: Buffer) => {
    hash.update(part);
    parts += 1;
    if (parts % partsBetweenPauses !== 0) return;
    socket.pause();
    setImmediate(() => socket.resume());
  });
  await once(socket, 'end');
  return hash.digest('hex');
}

/** The next datagram of `socket`. */
export async function datagram(socket: UdpSocket): Promise<Buffer> {
  const [message] = (await once(socket, 'message')) as [Buffer];
  return message;
}

/** Closes `server` and waits until it is closed. */
export async function closed(server: Server): Promise<void> {
  server.close();
  await once(server, 'close');
}

/** The code of the error that `socket` fails with; END if it ends without one. */
export async function failure(socket: Socket): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  socket.once('error', (error: NodeJS.ErrnoException) => {
    resolve(error.code ?? '');
  });
  socket.once('end', () => {
    resolve('END');
  });
  socket.resume();
  return promise;
}

/** Resolves when `socket` sends no more. */
export async function idle(socket: Socket): Promise<void> {
  await unchanged(() => socket.bytesWritten);
}

/**
 * Resolves when `value` stays what it is while the event loop turns: what the sockets of this process carry among themselves
 * has stopped, however slow the machine is.
 */
export async function unchanged(value: () => number): Promise<void> {
  for (let samples = 0, before = value(); samples < 20;) {
    await new Promise((resolve) => setTimeout(resolve, 1));
    samples = before === value() ? samples + 1 : 0;
    before = value();
  }
}

import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { SecureContext } from 'node:tls';
import type { ListenTransportConfig, RemoteTransportConfig } from '../../config/transport.ts';
import type { Clock } from '../../lib/clock.ts';
import { connectTls } from './tls-client.ts';
import type { TlsServer } from './tls-server.ts';
import { acceptWebSocket, requestWebSocket } from './web-socket.ts';

/** One side of a connection: TCP, on it TLS, on that WebSocket, as far as the side has them. */
export type Layers = {
  /** Every layer, the lowest first. */
  readonly all: readonly Duplex[];
  /** The highest layer, whose bytes are relayed. */
  readonly top: Duplex;
};

/**
 * Does the handshakes with a client.
 *
 * @throws HandshakeError
 */
export async function acceptLayers(
  raw: Socket,
  { webSocket }: ListenTransportConfig,
  tls: TlsServer | undefined,
  clock: Clock,
): Promise<Layers> {
  const all: Duplex[] = [raw];
  if (tls !== undefined) all.push(await tls.accept(raw));
  if (webSocket !== undefined) all.push(await acceptWebSocket(topOf(all), webSocket, clock));
  return { all, top: topOf(all) };
}

/**
 * Does the handshakes with a remote.
 *
 * @throws HandshakeError
 */
export async function connectLayers(
  raw: Socket,
  { tls, webSocket }: RemoteTransportConfig,
  context: SecureContext | undefined,
  clock: Clock,
): Promise<Layers> {
  const all: Duplex[] = [raw];
  if (tls !== undefined && context !== undefined) all.push(await connectTls(raw, tls, context));
  if (webSocket !== undefined) all.push(await requestWebSocket(topOf(all), webSocket, clock));
  return { all, top: topOf(all) };
}

/** Keeps an error that has no listener yet from ending the process; the owner of a layer listens for its errors. */
export function quiet<T extends Duplex>(stream: T): T {
  return stream.on('error', () => undefined);
}

function topOf(all: readonly Duplex[]): Duplex {
  const top = all.at(-1);
  if (top === undefined) throw new Error('a connection has at least one layer');
  return top;
}

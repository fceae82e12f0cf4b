import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { connect, isIPv6, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { type Framing, plainFraming, WebSocketFraming } from './framing.ts';
import { type End, header, headerBytes, type Kind, placeBytes, type Side, type Stream } from './stream.ts';

/** Only a defect leaves a stream without a byte for so long. */
const silenceMs = 120_000;
/** A client without an answer sends its datagram again after this; TCP does the same. */
const againMs = 500;
const chunkBytes = 16 * 1024;
const datagramBytes = 1_000;
/** A connection whose peer has vanished fails after that and ten probes a second apart. */
const keepaliveMs = 10_000;

/** Where clients of each kind reach the relay. */
export type Entrances = Readonly<Record<Kind, { readonly host: string; readonly port: number }>>;

/** What clients need besides. */
export type ClientSettings = {
  readonly entrances: () => Entrances;
  /** The authority of the relay's certificate, in PEM, and the name in it. */
  readonly ca: Buffer;
  readonly serverName: string;
};

/**
 * Runs the client of `stream` to its end.
 *
 * @param reading  the client, of TCP, reads nothing until it resolves.
 * @returns how many datagrams were sent again.
 */
export async function runClient(
  stream: Stream,
  settings: ClientSettings,
  reading?: Promise<unknown>,
): Promise<number> {
  if (stream.plan.kind === 'UDP') return askByUdp(stream, settings);
  const { host, port } = settings.entrances()[stream.plan.kind];
  const socket =
    stream.plan.kind === 'TLS'
      ? connectTls({ host, port, ca: settings.ca, servername: settings.serverName })
      : connect({ host, port, allowHalfOpen: true });
  new TcpClient(stream, socket, stream.plan.kind === 'WebSocket' ? new WebSocketFraming() : plainFraming);
  socket.setKeepAlive(true, keepaliveMs);
  if (reading !== undefined) {
    socket.pause();
    void reading.then(() => socket.resume());
  }
  await stream.client.ended;
  return 0;
}

/** Sends the bytes of `part(offset, length)` up to `total` as `socket` takes them, then calls `done`. */
export function send(
  socket: Socket,
  total: number,
  part: (offset: number, length: number) => Buffer,
  done: () => void,
): void {
  let sent = 0;
  const more = (): void => {
    while (sent < total && !socket.destroyed) {
      const bytes = part(sent, Math.min(chunkBytes, total - sent));
      sent += bytes.length;
      if (!socket.write(bytes)) {
        socket.once('drain', more);
        return;
      }
    }
    if (!socket.destroyed) done();
  };
  more();
}

/** Ends `side` as silent, and its socket, if nothing happens for two minutes. */
export function watchSilence(socket: Socket, side: Side): void {
  const timer = setTimeout(() => {
    side.finish('silence');
    socket.destroy();
  }, silenceMs);
  const seen = (): void => void timer.refresh();
  for (const event of ['data', 'drain', 'connect', 'end']) socket.on(event, seen);
  socket.once('close', () => {
    clearTimeout(timer);
  });
}

/** The client of one connection. */
class TcpClient {
  readonly #stream: Stream;
  readonly #socket: Socket;
  readonly #framing: Framing;
  #isSent = false;
  #isEnded = false;

  constructor(stream: Stream, socket: Socket, framing: Framing) {
    this.#stream = stream;
    this.#socket = socket;
    this.#framing = framing;
    watchSilence(socket, stream.client);
    socket.on('data', (part: Buffer) => {
      this.#receive(part);
    });
    socket.on('error', () => {
      this.#finish('reset');
    });
    socket.on('end', () => {
      this.#finish(this.#isEnded && framing.isClosed ? 'whole' : 'ended early');
    });
    socket.on('close', () => {
      this.#finish('reset');
    });
    socket.once(stream.plan.kind === 'TLS' ? 'secureConnect' : 'connect', () => {
      this.#begin();
    });
  }

  #begin(): void {
    const { plan } = this.#stream;
    const isReset = plan.manner === 'reset';
    const total = isReset ? Math.floor(plan.up / 2) : plan.up;
    this.#socket.write(this.#framing.opening);
    this.#socket.write(this.#framing.wrap(header(plan)));
    const part = (offset: number, length: number): Buffer => this.#stream.fromClient(offset, length);
    if (this.#stream.plan.kind === 'WebSocket') this.#sendFramed(total);
    else
      send(this.#socket, total, part, () => {
        this.#sent(isReset);
      });
  }

  /** One message for each part. */
  #sendFramed(total: number): void {
    for (let sent = 0; sent < total;) {
      const part = this.#stream.fromClient(sent, Math.min(chunkBytes, total - sent));
      sent += part.length;
      this.#socket.write(this.#framing.wrap(part));
    }
    this.#sent(false);
  }

  #sent(isReset: boolean): void {
    this.#isSent = true;
    if (!isReset) this.#endIfDone();
    else void this.#stream.reached.then(() => this.#socket.resetAndDestroy());
  }

  #receive(part: Buffer): void {
    const bytes = this.#framing.unwrap(part);
    if (bytes === undefined || !this.#stream.client.expected.take(bytes)) this.#finish('wrong bytes');
    else this.#endIfDone();
  }

  /** Ends our side: when all is sent, or, so that the remote's whole means ours, when all has arrived, too. */
  #endIfDone(): void {
    const isDone = this.#stream.plan.manner === 'half-close' || this.#stream.client.expected.isWhole;
    if (!this.#isSent || !isDone || this.#isEnded) return;
    this.#isEnded = true;
    if (this.#framing.closing.length === 0) this.#socket.end();
    else this.#socket.write(this.#framing.closing); // the server answers, and closes TCP first (RFC 6455, section 7.1.1)
  }

  #finish(end: End): void {
    const isWhole = end !== 'whole' || this.#stream.client.expected.isWhole;
    this.#stream.client.finish(isWhole ? end : 'ended early');
    this.#socket.destroy();
  }
}

/** Sends datagrams, each until its answer comes. @returns how many were sent again. */
async function askByUdp(stream: Stream, settings: ClientSettings): Promise<number> {
  const { host, port } = settings.entrances().UDP;
  const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4');
  socket.on('error', () => undefined); // "port unreachable"
  const { client, plan } = stream;
  let again = 0;
  while (client.end === undefined && !client.expected.isWhole) {
    const offset = client.expected.received;
    const part = stream.fromRemote(offset, Math.min(datagramBytes, plan.up - offset));
    const place = Buffer.alloc(placeBytes);
    place.writeUInt32BE(offset);
    const datagram = Buffer.concat([header(plan), place, part]);
    const asked = await ask(socket, datagram, (each) => {
      socket.send(each, port, host);
    });
    again += asked.again;
    if (asked.end !== 'whole') client.finish(asked.end);
    else client.expected.take(part);
  }
  socket.close();
  client.finish('whole');
  return again;
}

type Asked = { readonly end: End; readonly again: number };

/** Sends `datagram` until an answer comes, which has to be the same. */
async function ask(
  socket: UdpSocket,
  datagram: Buffer,
  transmit: (datagram: Buffer) => void,
): Promise<Asked> {
  const { promise, resolve } = Promise.withResolvers<Asked>();
  let again = 0;
  const timer = setInterval(() => {
    again += 1;
    if (again * againMs < silenceMs) transmit(datagram);
    else resolve({ end: 'silence', again });
  }, againMs);
  const onMessage = (answer: Buffer): void => {
    if (answer.equals(datagram)) resolve({ end: 'whole', again });
    else if (!isEarlier(answer, datagram)) resolve({ end: 'wrong bytes', again });
  };
  socket.on('message', onMessage);
  transmit(datagram);
  const asked = await promise;
  clearInterval(timer);
  socket.off('message', onMessage);
  return asked;
}

/** Whether `answer` is a late one to a previous datagram of the same client, which was sent twice. */
function isEarlier(answer: Buffer, datagram: Buffer): boolean {
  if (answer.length < headerBytes + placeBytes) return false;
  const isSame = answer.subarray(0, headerBytes).equals(datagram.subarray(0, headerBytes));
  return isSame && answer.readUInt32BE(headerBytes) < datagram.readUInt32BE(headerBytes);
}

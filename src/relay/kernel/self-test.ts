import { asError } from '../../lib/errors.ts';
import { constants } from './constants.ts';
import { checked, KernelUnavailableError } from './errno.ts';
import { DatagramSender } from './datagram-sender.ts';
import { KernelSocket } from './kernel-socket.ts';
import { Pipe } from './pipe.ts';
import { Poller } from './poller.ts';
import { ReceivedDatagrams } from './received-datagrams.ts';

/** How long an event may take that is there already. */
const timeoutMs = 5000;

/**
 * Tries what the relay does with the kernel: a stream, a pipe, datagrams and the poller, on sockets of this process.
 *
 * @throws KernelUnavailableError with the reason if anything differs, as in a sandbox that lacks a call.
 */
export async function selfTest(): Promise<void> {
  try {
    const poller = new Poller();
    try {
      await withPair('stream', (a, b) => tryStream(poller, a, b));
      await withPair('datagram', (a, b) => {
        tryDatagrams(a, b);
        return Promise.resolve();
      });
    } finally {
      await poller.close();
    }
  } catch (cause) {
    if (cause instanceof KernelUnavailableError) throw cause;
    throw new KernelUnavailableError(`the self-test failed: ${asError(cause).message}`, { cause });
  }
}

type Use = (a: KernelSocket, b: KernelSocket) => Promise<void>;

async function withPair(type: 'stream' | 'datagram', use: Use): Promise<void> {
  const [a, b] = KernelSocket.pair(type);
  try {
    await use(a, b);
  } finally {
    a.close();
    b.close();
  }
}

async function tryStream(poller: Poller, a: KernelSocket, b: KernelSocket): Promise<void> {
  const sent = Buffer.from('stream');
  expectSame('write', a.send(sent), sent.length);
  await readable(poller, b);
  const pipe = new Pipe(65_536);
  try {
    expectSame('splice', b.spliceTo(pipe), sent.length);
    expectSame('splice', b.spliceFrom(pipe), sent.length);
  } finally {
    pipe.close();
  }
  const got = new Uint8Array(16);
  expectSame('read', a.receive(got), sent.length);
  expectSame('what read returned', sent.compare(got, 0, sent.length), 0);
}

async function readable(poller: Poller, socket: KernelSocket): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => {
    reject(new KernelUnavailableError(`epoll reported no event within ${String(timeoutMs)} ms`));
  }, timeoutMs);
  poller.add(socket, constants.EPOLLIN, {
    onEvents: () => {
      poller.needsTick();
      resolve(undefined);
    },
  });
  try {
    await promise;
  } finally {
    clearTimeout(timer);
    poller.remove(socket);
  }
}

function tryDatagrams(a: KernelSocket, b: KernelSocket): void {
  const sent = ['one', 'three'];
  const received = new ReceivedDatagrams(sent.length, 16);
  const sender = new DatagramSender(received.data);
  let status = 0;
  const outlet = { descriptor: a, maxSegmentBytes: 0, onSendError: (number: number) => (status = number) };
  sender.hold();
  for (const text of sent) sender.add(outlet, Buffer.from(text));
  sender.release();
  expectSame('sendmmsg', status, 0);
  expectSame('recvmmsg', received.receive(b), sent.length);
  const got: string[] = [];
  const take = (datagram: Uint8Array): unknown => got.push(Buffer.from(datagram).toString());
  sent.forEach((_, index) => {
    received.deliver(index, { take });
  });
  expectSame('what recvmmsg read', Number(got.join() !== sent.join()), 0);
}

function expectSame(call: string, result: number, expected: number): void {
  if (checked(call, result) === expected) return;
  throw new KernelUnavailableError(`${call} returned ${String(result)} instead of ${String(expected)}`);
}

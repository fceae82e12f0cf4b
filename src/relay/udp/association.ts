import { createSocket, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import type { SocketAddress } from '../../config/address.ts';
import type { Clock } from '../../lib/clock.ts';
import { asError, errorCode } from '../../lib/errors.ts';
import type { Logger } from '../../telemetry/logger.ts';
import { addressesOf, literalAddress, type Lookup } from '../dns/lookup.ts';
import type { Holding, MemoryBudget } from '../limits/memory-budget.ts';
import type { Target } from '../net/channel.ts';
import type { Remote } from '../upstream/remote.ts';
import type { Side } from '../stats/side.ts';
import { permitted } from '../upstream/denied-destinations.ts';
import { fromAddress, reachable, sourceOf } from '../upstream/source-address.ts';
import type { Warn } from '../stats/log-limiter.ts';

/** Datagrams that wait while the remote's name is looked up; further ones are lost, as UDP allows. */
const maxWaiting = 32;
/** Bytes of these datagrams; the largest datagram fits. */
const maxWaitingBytes = 65_536;

/** Why an association ended. */
export type AssociationEnd = 'Idle' | 'Evicted' | 'RemoteRemoved' | 'NotAllowed' | 'Stopped';

/** What one association works with. */
export type AssociationContext = {
  /** Name of the endpoint. */
  readonly endpoint: string;
  /** The client's address and port, as text. */
  readonly client: string;
  /** The client's address alone; an IPv4-mapped one as IPv4. */
  readonly ip: string;
  /** The listening port that it came to, as configured. */
  readonly port: number;
  /** At least one, in the order in which to try them. */
  readonly remotes: readonly Remote[];
  /** Source address of its datagrams; undefined = the system's choice. */
  readonly through: SocketAddress | undefined;
  /** Addresses and ranges to which it sends nothing; undefined = none. */
  readonly denied: readonly string[] | undefined;
  /** How long it may be idle before it ends; 0 = for ever. */
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly lookup: Lookup;
  readonly memory: MemoryBudget;
  readonly log: Logger;
  /** Rate-limited, since every client may fail. */
  readonly warn: Warn;
  /** Sends a datagram of the remote to the client. */
  readonly reply: (datagram: Uint8Array) => void;
  /** Called once, with the remote's first answer. */
  readonly onAnswered: (association: UdpAssociation) => void;
  /** Called once, when it has ended. */
  readonly onClosed: (association: UdpAssociation, failure: Side | undefined) => void;
};

/**
 * The mapping of one UDP client: a socket that is connected to one remote, so that the kernel drops what others send.
 * It ends when neither side has sent for the idle time. If a remote refuses before its first answer, the next remote
 * is tried.
 */
export class UdpAssociation {
  fromClientBytes = 0;
  fromUpstreamBytes = 0;
  readonly #context: AssociationContext;
  readonly #startedMs: number;
  #timeoutMs: number;
  #lastMs: number;
  #socket: Socket | undefined;
  #isDialling = false;
  #tried = 0;
  /** The remote that counts this association. */
  #counted: Remote | undefined;
  #failedInARow = 0;
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  /** The client's latest datagram, kept for the next remote, if there are several, until one has answered. */
  #unanswered: Uint8Array | undefined;
  /** What waits and what is kept, in the memory budget, which drops it if memory is short. */
  readonly #holding: Holding;
  /** Whether the remote has answered, if only by an empty datagram. */
  #isAnswered = false;
  #error: Error | undefined;
  #isClosed = false;
  #stopTimer: () => void = () => undefined;

  constructor(context: AssociationContext) {
    this.#context = context;
    this.#startedMs = this.#lastMs = context.clock.monotonicMs();
    this.#timeoutMs = context.timeoutMs;
    this.#holding = context.memory.hold(() => {
      this.#drop();
    });
    this.#watchIdle();
  }

  /** The remote in use, or the last one tried. */
  get remote(): Remote {
    return this.#remote(Math.max(0, this.#tried - 1));
  }

  /** The client's address; an IPv4-mapped one as IPv4. */
  get ip(): string {
    return this.#context.ip;
  }

  /** The listening port that the client came to, as configured. */
  get port(): number {
    return this.#context.port;
  }

  /** When either side sent last. */
  get lastMs(): number {
    return this.#lastMs;
  }

  /** Sends the client's datagram to the remote. */
  send(datagram: Uint8Array): void {
    this.#lastMs = this.#context.clock.monotonicMs();
    this.fromClientBytes += datagram.length;
    if (!this.#isAnswered && this.#context.remotes.length > 1) this.#keep(datagram);
    if (this.#socket !== undefined && !this.#isDialling) this.#forward(datagram);
    else this.#wait(datagram);
    if (this.#socket === undefined && !this.#isDialling) void this.#dial();
  }

  /** Ends it after `timeoutMs` without a datagram, counted from now. */
  limitIdle(timeoutMs: number): void {
    this.#timeoutMs = timeoutMs;
    this.#lastMs = this.#context.clock.monotonicMs();
    this.#watchIdle();
  }

  /** Ends it now. */
  close(end: AssociationEnd): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#stopTimer();
    this.#dropSocket();
    this.#drop();
    this.#counted?.release();
    this.#logEnd(end);
    this.#context.onClosed(this, this.#failedInARow === 0 ? undefined : 'upstream');
  }

  async #dial(): Promise<void> {
    const remote = this.#remote(this.#tried);
    this.#tried += 1;
    this.#isDialling = true;
    this.#counted?.release();
    this.#counted = remote;
    remote.acquire();
    try {
      const { through, lookup, denied } = this.#context;
      const found = await addressesOf(remote, lookup);
      const source = through && (await sourceOf(through, lookup));
      const [host] = reachable(permitted(found, denied), source);
      if (host === undefined) throw new Error('the name has no address');
      if (!this.#isClosed) this.#open({ address: host, port: remote.port, from: fromAddress(host, source) });
    } catch (error) {
      this.#fail(asError(error));
    }
  }

  #remote(index: number): Remote {
    const { remotes } = this.#context;
    return remotes[index % remotes.length] as Remote; // there is at least one
  }

  #open({ address: host, port, from }: Target): void {
    const socket = createSocket({ type: isIPv6(host) ? 'udp6' : 'udp4', lookup: literalAddress });
    const onError = (error: Error): void => {
      if (this.#socket === socket) this.#fail(error);
    };
    this.#socket = socket;
    socket.on('error', onError);
    socket.on('message', (datagram) => {
      this.#receiveAnswer(datagram);
    });
    if (from !== undefined) socket.bind({ ...from, exclusive: true });
    // On failure Node passes the error to the callback, although its types have no parameter there.
    socket.connect(port, host, ((error?: Error) => {
      if (error !== undefined) onError(error);
      else if (this.#socket === socket) this.#flush();
    }) as () => void);
  }

  #flush(): void {
    this.#isDialling = false;
    const waiting = this.#waiting;
    this.#dropWaiting();
    for (const datagram of waiting) this.#forward(datagram);
  }

  #keep(datagram: Uint8Array): void {
    this.#unanswered = datagram;
    this.#count();
  }

  #wait(datagram: Uint8Array): void {
    if (this.#waiting.length === maxWaiting || this.#waitingBytes + datagram.length > maxWaitingBytes) return;
    this.#waiting.push(datagram);
    this.#waitingBytes += datagram.length;
    this.#count();
  }

  #dropWaiting(): void {
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#count();
  }

  #drop(): void {
    this.#unanswered = undefined;
    this.#dropWaiting();
  }

  #count(): void {
    this.#holding.resize(this.#waitingBytes + (this.#unanswered?.length ?? 0));
  }

  #forward(datagram: Uint8Array): void {
    const socket = this.#socket;
    socket?.send(datagram, (error) => {
      // A datagram that is too large for the remote's family is lost; the association goes on.
      if (error === null || errorCode(error) === 'EMSGSIZE') return;
      if (this.#socket === socket) this.#fail(error);
    });
  }

  #receiveAnswer(datagram: Uint8Array): void {
    this.#lastMs = this.#context.clock.monotonicMs();
    if (!this.#isAnswered || this.#failedInARow > 0) this.#counted?.succeed();
    if (!this.#isAnswered) this.#onAnswered();
    this.fromUpstreamBytes += datagram.length;
    this.#failedInARow = 0;
    this.#context.reply(datagram);
  }

  #onAnswered(): void {
    this.#isAnswered = true;
    this.#unanswered = undefined;
    this.#count();
    this.#context.onAnswered(this);
  }

  /** Tries the next remote: at once if the client waits for a first answer, else with its next datagram. */
  #fail(error: Error): void {
    this.#error = error;
    this.#failedInARow += 1;
    this.#counted?.fail(error);
    this.#isDialling = false;
    this.#dropSocket();
    this.#dropWaiting();
    if (this.#isClosed || this.#unanswered === undefined) return;
    if (this.#failedInARow % this.#context.remotes.length === 0) return;
    this.#wait(this.#unanswered);
    void this.#dial();
  }

  #dropSocket(): void {
    this.#socket?.close();
    this.#socket = undefined;
  }

  #watchIdle(): void {
    this.#stopTimer();
    if (this.#timeoutMs === 0) return;
    const idleMs = this.#context.clock.monotonicMs() - this.#lastMs;
    if (idleMs >= this.#timeoutMs) {
      this.close('Idle');
      return;
    }
    this.#stopTimer = this.#context.clock.after(this.#timeoutMs - idleMs, () => {
      this.#watchIdle();
    });
  }

  #logEnd(end: AssociationEnd): void {
    const { endpoint, client, clock, log, warn } = this.#context;
    const fields = {
      endpoint,
      client,
      upstream: this.remote.text,
      fromClientBytes: this.fromClientBytes,
      fromUpstreamBytes: this.fromUpstreamBytes,
      durationMs: Math.round(clock.monotonicMs() - this.#startedMs),
      end,
    };
    if (this.#failedInARow === 0) log.info(fields, 'association closed');
    else warn({ ...fields, side: 'upstream', err: this.#error }, 'association failed');
  }
}

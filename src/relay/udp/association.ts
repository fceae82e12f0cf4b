import type { SocketAddress } from '../../config/address.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { Lookup } from '../dns/lookup.ts';
import type { DescriptorBudget } from '../limits/descriptor-budget.ts';
import type { MemoryBudget } from '../limits/memory-budget.ts';
import type { OwnSockets, RelayPath } from '../limits/own-sockets.ts';
import type { FlowFigures, UdpStack } from '../net/datagrams.ts';
import type { Warn } from '../stats/log-limiter.ts';
import type { Side } from '../stats/side.ts';
import type { RemotePool } from '../upstream/remote-pool.ts';
import type { Remote } from '../upstream/remote.ts';
import { KeptDatagrams } from './kept-datagrams.ts';
import { Route } from './route.ts';
import type { Carry, DatagramHeader } from './upstream.ts';

/** Why an association ended. */
export type AssociationEnd = 'Idle' | 'Evicted' | 'RemoteRemoved' | 'NotAllowed' | 'Stopped';

/** Datagrams of both sides that pass before another thread is asked to carry the next ones: few have none of that cost. */
const carriedFrom = 16;

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
  /** The remotes of that port, which a reload may change; undefined if it removed the port. */
  readonly pool: () => RemotePool | undefined;
  /** Source address of its datagrams; undefined = the system's choice. */
  readonly through: SocketAddress | undefined;
  /** The network interface that its datagrams leave by; undefined = the system's choice. */
  readonly device: string | undefined;
  /** Code point of its datagrams to the remote, 0 to 63. */
  readonly dscp: number;
  /** Addresses and ranges to which it sends nothing; undefined = none. */
  readonly denied: readonly string[] | undefined;
  /** PROXY header before its datagrams; undefined = none. */
  readonly header: DatagramHeader | undefined;
  /** How long it may be idle before it ends; 0 = for ever. */
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly lookup: Lookup;
  readonly udp: UdpStack;
  /** Grants the descriptor of a second socket while another remote is tried. */
  readonly budget: DescriptorBudget;
  readonly memory: MemoryBudget;
  readonly log: Logger;
  /** Rate-limited, since every client may fail. */
  readonly warn: Warn;
  /** Knows the association's sockets. */
  readonly ownSockets: OwnSockets;
  /** The listening ports that the client came through. */
  readonly path: RelayPath;
  /** Sends a datagram of the remote to the client. */
  readonly reply: (datagram: Uint8Array) => void;
  /** Offers a flow to the thread that receives the client's datagrams; undefined if that is this one. */
  readonly carry: Carry | undefined;
  /** Called when another thread was asked to carry it: `review` is to be called now and then. */
  readonly onCarried: () => void;
  /** Called once, with the remote's first answer. */
  readonly onAnswered: (association: UdpAssociation) => void;
  /** Called once, when it has ended. */
  readonly onClosed: (association: UdpAssociation, failure: Side | undefined) => void;
};

/**
 * The mapping of one UDP client: its datagrams go to one remote, see `Route`, whose answers come back. It ends when
 * neither side has sent for the idle time.
 */
export class UdpAssociation {
  #fromClientBytes = 0;
  #fromUpstreamBytes = 0;
  /** What another thread counts that carries its datagrams. */
  #carried: FlowFigures | undefined;
  /** Datagrams since it was created, or since another thread has carried them. */
  #passed = 0;
  readonly #context: AssociationContext;
  readonly #startedMs: number;
  readonly #kept: KeptDatagrams;
  readonly #route: Route;
  #timeoutMs: number;
  #lastMs: number;
  #isAnswered = false;
  #isClosed = false;
  /** Ends the lookup of a name that nobody waits for any more. */
  #endLookup: () => void = () => undefined;
  #stopTimer: () => void = () => undefined;

  constructor(context: AssociationContext) {
    this.#context = context;
    this.#startedMs = this.#lastMs = context.clock.monotonicMs();
    this.#timeoutMs = context.timeoutMs;
    this.#kept = new KeptDatagrams(context.memory);
    this.#route = new Route({
      ...context,
      kept: this.#kept,
      onAnswer: (datagram) => {
        this.#receiveAnswer(datagram);
      },
    });
    this.#watchIdle();
  }

  /** The remote in use, or the last one tried; undefined before the first. */
  get remote(): Remote | undefined {
    return this.#route.remote;
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
    return Math.max(this.#lastMs, this.#carried?.lastMs ?? 0);
  }

  get fromClientBytes(): number {
    return this.#fromClientBytes + (this.#carried?.fromClientBytes ?? 0);
  }

  get fromUpstreamBytes(): number {
    return this.#fromUpstreamBytes + (this.#carried?.fromUpstreamBytes ?? 0);
  }

  /** Whether another thread carries its datagrams, or was asked to. */
  get isCarried(): boolean {
    return this.#carried !== undefined;
  }

  /** See `Route.review`. */
  review(): void {
    if (this.#carried !== undefined) this.#route.review();
  }

  /** Sends the client's datagram to the remote. */
  send(datagram: Uint8Array): void {
    this.#lastMs = this.#context.clock.monotonicMs();
    this.#fromClientBytes += datagram.length;
    this.#route.send(datagram, this.#lastMs);
    this.#hasPassed();
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
    this.#logEnd(end);
    this.#route.close();
    this.#kept.drop();
    this.#context.onClosed(this, this.#route.error === undefined ? undefined : 'upstream');
  }

  #receiveAnswer(datagram: Uint8Array): void {
    this.#lastMs = this.#context.clock.monotonicMs();
    this.#fromUpstreamBytes += datagram.length;
    if (!this.#isAnswered) {
      this.#isAnswered = true;
      this.#context.onAnswered(this);
    }
    this.#context.reply(datagram);
    this.#hasPassed();
  }

  #hasPassed(): void {
    const { carry, onCarried } = this.#context;
    if (carry === undefined || this.#carried !== undefined || (this.#passed += 1) < carriedFrom) return;
    this.#passed = 0;
    this.#carried = this.#route.carry(carry, (figures) => {
      this.#lastMs = Math.max(this.#lastMs, figures.lastMs);
      this.#fromClientBytes += figures.fromClientBytes;
      this.#fromUpstreamBytes += figures.fromUpstreamBytes;
      this.#carried = undefined;
    });
    if (this.#carried !== undefined) onCarried();
  }

  #watchIdle(): void {
    this.#stopTimer();
    if (this.#timeoutMs === 0) return;
    const idleMs = this.#context.clock.monotonicMs() - this.lastMs;
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
    const { error: err } = this.#route;
    const fields = {
      endpoint,
      client,
      upstream: this.remote?.text ?? '',
      fromClientBytes: this.fromClientBytes,
      fromUpstreamBytes: this.fromUpstreamBytes,
      durationMs: Math.round(clock.monotonicMs() - this.#startedMs),
      end,
    };
    if (err === undefined) log.info(fields, 'association closed');
    else warn({ ...fields, side: 'upstream', err }, 'association failed');
  }
}

import { type Random, seeded } from '../fuzz/mutator.ts';
import { type BytePool, Expected } from './bytes.ts';

/** How a client reaches the relay. */
export const kinds = ['TCP', 'TLS', 'WebSocket', 'UDP'] as const;
export type Kind = (typeof kinds)[number];

/** What one client does. It depends on the seed and the number of the stream alone. */
export type StreamPlan = {
  readonly id: number;
  readonly kind: Kind;
  /** Bytes from the client, and bytes from the remote; of UDP, both the same. */
  readonly up: number;
  readonly down: number;
  /** `half-close`: the client ends its side before the remote answers. `reset`: it resets the connection in the middle. */
  readonly manner: 'plain' | 'half-close' | 'reset';
};

/** How a side of a stream ended; `silence`: nothing came any more, and no error either. */
export type End = 'whole' | 'reset' | 'ended early' | 'wrong bytes' | 'silence';

/** The bytes of a header: magic, number, bytes each way, manner. */
export const headerBytes = 20;
/** Follows the header in each datagram: the place of its bytes in the stream. */
export const placeBytes = 4;
const magic = 0x534f414b;
const manners = ['plain', 'half-close', 'reset'] as const;
const sizes = [0, 1, 100, 4_000, 30_000, 100_000, 400_000];

/** The plan of the stream `id` in the run of `seed`. */
export function streamPlan(seed: number, id: number): StreamPlan {
  const random = seeded(Math.imul(seed, 0x9e3779b1) ^ Math.imul(id, 0x85ebca6b));
  const kind = chosen(kinds, random);
  if (kind === 'UDP') {
    const bytes = Math.min(30_000, 100 + chosen(sizes, random));
    return { id, kind, up: bytes, down: bytes, manner: 'plain' };
  }
  const [up, down] = [varied(chosen(sizes, random), random), varied(chosen(sizes, random), random)];
  return { id, kind, up, down, manner: kind === 'TCP' ? mannerOf(random()) : 'plain' };
}

function mannerOf(random: number): StreamPlan['manner'] {
  if (random < 0.05) return 'reset';
  return random < 0.3 ? 'half-close' : 'plain';
}

function varied(bytes: number, random: Random): number {
  return Math.floor(bytes * (0.5 + random()));
}

/** One of `values`. */
export function chosen<T>(values: readonly T[], random: Random): T {
  return values[Math.floor(random() * values.length)] as T;
}

/** What the client sends first, so that the remote knows the stream. */
export function header({ id, up, down, manner }: StreamPlan): Buffer {
  const bytes = Buffer.alloc(headerBytes);
  [magic, id, up, down, manners.indexOf(manner)].forEach((value, index) => {
    bytes.writeUInt32BE(value, index * 4);
  });
  return bytes;
}

/** One side of a stream. */
export class Side {
  readonly expected: Expected;
  end: End | undefined;
  readonly #ended = Promise.withResolvers<End>();

  constructor(expected: Expected) {
    this.expected = expected;
  }

  /** Its first end counts. */
  finish(end: End): void {
    this.end ??= end;
    this.#ended.resolve(this.end);
  }

  /** Resolves when it has ended. */
  get ended(): Promise<End> {
    return this.#ended.promise;
  }
}

/** One stream as both of its sides see it. */
export class Stream {
  readonly plan: StreamPlan;
  readonly client: Side;
  /** Undefined until the relay has connected to a remote. */
  remote: Side | undefined;
  /** Milliseconds of the monotonic clock. */
  readonly beginMs = performance.now();
  endMs = Infinity;
  readonly #pool: BytePool;
  readonly #reached = Promise.withResolvers<undefined>();

  constructor(pool: BytePool, plan: StreamPlan) {
    this.plan = plan;
    this.#pool = pool;
    this.client = new Side(new Expected(pool, plan.id * 7919 + 1, plan.down));
  }

  /** A part of what the client sends, from `offset` on. */
  fromClient(offset: number, length: number): Buffer {
    return this.#pool.part(this.plan.id * 104_729, offset, length);
  }

  /** A part of what the remote sends. */
  fromRemote(offset: number, length: number): Buffer {
    return this.#pool.part(this.plan.id * 7919 + 1, offset, length);
  }

  /** The side of the remote, once its header has arrived. */
  reachRemote(): Side {
    this.remote = new Side(new Expected(this.#pool, this.plan.id * 104_729, this.plan.up));
    this.#reached.resolve(undefined);
    return this.remote;
  }

  /** Resolves once the remote has the header. */
  get reached(): Promise<undefined> {
    return this.#reached.promise;
  }
}

/** The streams that run, by the number in their header. */
export class StreamBook {
  readonly #streams = new Map<number, Stream>();
  /** Headers of streams that have ended: a datagram that was sent twice, or a client that gave up, may arrive late. */
  readonly #late = new Set<string>();
  /** What remotes received that no client sent. */
  readonly foreign: string[] = [];

  add(stream: Stream): void {
    this.#streams.set(stream.plan.id, stream);
  }

  remove(stream: Stream): void {
    this.#streams.delete(stream.plan.id);
    this.#late.add(header(stream.plan).toString('hex'));
  }

  /** The running stream of a header that a remote received; undefined if it has ended, and kept as `foreign` if no client sent it. */
  find(received: Buffer): Stream | undefined {
    const stream = this.#streams.get(received.readUInt32BE(4));
    if (stream !== undefined && header(stream.plan).equals(received)) return stream;
    const hex = received.toString('hex');
    if (!this.#late.has(hex)) this.foreign.push(hex);
    return undefined;
  }
}

/**
 * What an error was, which a fault may excuse. `reset not passed on`: the client has everything, has ended its side and sees a
 * clean end, while the remote sees a reset.
 */
export type Cause = 'reset' | 'ended early' | 'reset not passed on';

/** The verdict on a stream: whole; an error, which a fault has to excuse; or what must never happen. */
export type Verdict =
  | { readonly kind: 'whole' }
  | { readonly kind: 'error'; readonly cause: Cause }
  | { readonly kind: 'violation'; readonly what: string };

/** Judges a stream of which both sides have ended. */
export function verdict({ plan, client, remote }: Stream): Verdict {
  const [clientEnd, remoteEnd] = [endOf(client), endOf(remote)];
  const both = `client ${clientEnd}, remote ${remoteEnd}`;
  const ends: readonly string[] = [clientEnd, remoteEnd];
  if (ends.includes('wrong bytes') || ends.includes('silence')) return { kind: 'violation', what: both };
  // A client that resets its connection does so once the remote is reached, which then has to see a reset, too.
  if (plan.manner === 'reset' && remoteEnd === 'reset') return { kind: 'whole' };
  return verdictOfEnds(plan, clientEnd, remoteEnd);
}

function verdictOfEnds({ kind }: StreamPlan, clientEnd: End, remoteEnd: End | 'not reached'): Verdict {
  if (clientEnd !== 'whole')
    return { kind: 'error', cause: [clientEnd, remoteEnd].includes('ended early') ? 'ended early' : 'reset' };
  // The answer to a datagram proves that the remote has it: it answers with the same bytes, after it has checked them.
  if (remoteEnd === 'whole' || kind === 'UDP') return { kind: 'whole' };
  if (remoteEnd === 'reset') return { kind: 'error', cause: 'reset not passed on' };
  return { kind: 'violation', what: `the client has everything and the remote has not: ${remoteEnd}` };
}

function endOf(side: Side): End;
function endOf(side: Side | undefined): End | 'not reached';
function endOf(side: Side | undefined): End | 'not reached' {
  return side === undefined ? 'not reached' : (side.end ?? 'silence');
}

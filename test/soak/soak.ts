import { setTimeout as delay } from 'node:timers/promises';
import { type Random, seeded } from '../fuzz/mutator.ts';
import { eventually } from '../support/eventually.ts';
import { BytePool } from './bytes.ts';
import { type ClientSettings, runClient } from './clients.ts';
import { type Fault, faultDeck, FaultLog } from './faults.ts';
import { Ledger } from './ledger.ts';
import { kinds, Stream, type StreamBook, streamPlan, type StreamPlan, verdict } from './stream.ts';

/** What a process of the relay uses while no client is served. */
export type Sample = {
  /** The same for all samples of one process. */
  readonly process: string;
  readonly connections: number;
  readonly associations: number;
  readonly usage: Usage;
};

/** Amounts that have to be flat, by name. */
export type Usage = Readonly<Record<string, number>>;

/** A relay under load, and what may happen to it. */
export type RelayUnderLoad = ClientSettings & {
  readonly faults: readonly Fault[];
  /** Consecutive whole streams of each kind that show that a fault is over. */
  readonly probes: number;
  /** Measures every process of the relay now. */
  readonly samples: () => Promise<readonly Sample[]>;
};

/** How much is done. */
export type SoakOptions = {
  readonly seed: number;
  /** Clients at a time. */
  readonly lanes: number;
  /** Streams of a round, at least: it lasts until its fault is over. */
  readonly streamsOfRound: number;
  /** Whether to begin the round of this number, from 0. */
  readonly goesOn: (round: number) => boolean;
  /** Called after each round with its fault. */
  readonly onRound?: (fault: string, ledger: Ledger) => void;
};

/** Probes and slow readers have their own numbers. */
const firstProbe = 0x4000_0000;
const firstSlow = 0x2000_0000;
/** Readers that read nothing while the fault lasts, and the bytes that wait for each. */
const slowReaders = 16;
const slowBytes = 4 * 1024 * 1024;
const longestFaultMs = 5_000;
const patience = { timeoutMs: 180_000 };

/**
 * Puts load on a relay in rounds. In each round one fault happens, and after it the relay has to be as idle as it was before:
 * no connection, no association, and no more memory, descriptors or timers.
 */
export class Soak {
  readonly ledger = new Ledger();
  readonly book: StreamBook;
  readonly #relay: RelayUnderLoad;
  readonly #options: SoakOptions;
  readonly #pool: BytePool;
  readonly #log = new FaultLog();
  #started = 0;
  #ended = 0;
  #probes = 0;
  #slow = 0;
  #waiting: { readonly at: number; readonly resolve: (value: undefined) => void }[] = [];

  constructor(book: StreamBook, relay: RelayUnderLoad, options: SoakOptions) {
    this.book = book;
    this.#relay = relay;
    this.#options = options;
    this.#pool = new BytePool(seeded(options.seed));
  }

  /** Runs all rounds. */
  async run(): Promise<Ledger> {
    const random = seeded(this.#options.seed);
    const deck = faultDeck([...this.#relay.faults, this.#slowReaders()], random);
    await this.#recovered('the start');
    for (let round = 0; this.#options.goesOn(round); round += 1) {
      const fault = deck.next().value;
      await this.#round(fault, random);
      this.#options.onRound?.(fault.name, this.ledger);
    }
    this.ledger.faults = this.#log.counts();
    this.ledger.violations.push(
      ...this.book.foreign.map((hex) => `a remote received what no client sent: ${hex}`),
    );
    return this.ledger;
  }

  async #round(fault: Fault, random: Random): Promise<void> {
    const atLeast = this.#started + this.#options.streamsOfRound;
    let isOver = false;
    const lanes = Array.from({ length: this.#options.lanes }, async () => {
      while (this.#started < atLeast || !isOver) await this.#nextStream();
    });
    await this.#inject(fault, random).finally(() => {
      isOver = true;
    });
    await Promise.all(lanes);
    await this.#sample(fault.name);
  }

  async #inject(fault: Fault, random: Random): Promise<void> {
    const few = Math.ceil(this.#options.streamsOfRound / 4);
    await this.#streamsEnd(few);
    const active = await this.#log.begin(fault, random);
    await (active.lasted ?? this.#lasted(few));
    await active.end();
    if (fault.excuses.length > 0) await this.#recovered(fault.name);
    active.close();
  }

  /** Clients that read nothing for a while: the relay has to hold the others, and its memory. */
  #slowReaders(): Fault {
    return {
      name: 'clients do not read',
      excuses: [],
      begin: () => {
        const reading = Promise.withResolvers<undefined>();
        const streams = Array.from({ length: slowReaders }, async () => {
          this.#slow += 1;
          const plan = {
            id: firstSlow + this.#slow,
            kind: 'TCP',
            up: 100,
            down: slowBytes,
            manner: 'plain',
          } as const;
          this.#judge(await this.#runStream(plan, reading.promise));
        });
        return Promise.resolve({
          end: async () => {
            reading.resolve(undefined);
            await Promise.all(streams);
          },
        });
      },
    };
  }

  /** Without remotes every lane may come to wait in a UDP stream, so that no more streams end: then the fault is over, too. */
  async #lasted(count: number): Promise<void> {
    await Promise.race([this.#streamsEnd(count), delay(longestFaultMs)]);
  }

  /** Resolves when `count` more streams have ended. */
  async #streamsEnd(count: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    this.#waiting.push({ at: this.#ended + count, resolve });
    await promise;
  }

  async #nextStream(): Promise<void> {
    this.#started += 1;
    const stream = await this.#runStream(streamPlan(this.#options.seed, this.#started));
    this.#judge(stream);
    this.#ended += 1;
    for (const { at, resolve } of this.#waiting) if (at <= this.#ended) resolve(undefined);
    this.#waiting = this.#waiting.filter(({ at }) => at > this.#ended);
  }

  async #runStream(plan: StreamPlan, reading?: Promise<undefined>): Promise<Stream> {
    const stream = new Stream(this.#pool, plan);
    this.book.add(stream);
    const again = await runClient(stream, this.#relay, reading);
    this.ledger.sentAgain += again;
    await stream.remote?.ended;
    stream.endMs = performance.now();
    this.book.remove(stream);
    return stream;
  }

  #judge(stream: Stream): void {
    const { plan, beginMs, endMs } = stream;
    const found = verdict(stream);
    const excuse = found.kind === 'error' ? this.#log.excuse(found.cause, beginMs, endMs) : undefined;
    this.ledger.count(stream, found, excuse);
    if (found.kind === 'violation') this.ledger.violations.push(`${text(plan)}: ${found.what}`);
    if (found.kind === 'error' && excuse === undefined)
      this.ledger.violations.push(
        `${text(plan)}: ${found.cause}, and no fault explains it, ${this.#log.describe(beginMs, endMs)}`,
      );
  }

  /** Resolves once streams of every kind are whole again. */
  async #recovered(after: string): Promise<void> {
    for (const kind of kinds) {
      let inARow = 0;
      await eventually(
        `${String(this.#relay.probes)} whole ${kind} streams in a row after: ${after}`,
        async () => {
          inARow = (await this.#probe(kind)) ? inARow + 1 : 0;
          return inARow >= this.#relay.probes;
        },
        { ...patience, intervalMs: 20 },
      ).catch((error: unknown) => this.ledger.violations.push(String(error)));
    }
  }

  async #probe(kind: StreamPlan['kind']): Promise<boolean> {
    this.#probes += 1;
    const plan = { id: firstProbe + this.#probes, kind, up: 1_000, down: 1_000, manner: 'plain' } as const;
    const found = verdict(await this.#runStream(plan));
    if (found.kind === 'violation') this.ledger.violations.push(`${text(plan)}: ${found.what}`);
    return found.kind === 'whole';
  }

  /** Measures the idle relay. */
  async #sample(after: string): Promise<void> {
    const samples = await eventually(
      'an idle relay',
      async () => {
        const found = await this.#relay.samples();
        return found.every(({ connections, associations }) => connections + associations === 0) && found;
      },
      patience,
    ).catch((error: unknown) => {
      this.ledger.violations.push(`after ${after}: ${String(error)}`);
      return [];
    });
    for (const sample of samples) this.ledger.addSample(this.#ended, sample);
  }
}

function text({ id, kind, up, down, manner }: StreamPlan): string {
  return `stream ${String(id)} (${kind}, ${manner}, ${String(up)} bytes up, ${String(down)} down)`;
}

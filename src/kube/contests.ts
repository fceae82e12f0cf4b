import { type Backoff, backoffMs } from '../lib/backoff.ts';
import type { Clock } from '../lib/clock.ts';

/** After so many undone repairs of a field in a row, the next one waits, and the field counts as contested. */
const freeRepairs = 2;
const backoff: Backoff = { initialMs: 1_000, maxMs: 300_000 };
/** What others leave alone for so long is no longer part of a fight. */
const calmMs = 300_000;
/** For so long after its last repair, a field that was contested must stay as it is before it counts as settled. */
const [minHoldMs, maxHoldMs] = [30_000, 60_000];
/** How many objects are remembered. */
const maxEntries = 32_768;
/** How many fields of an object are counted apart; any further ones are counted together. */
const maxFields = 16;
const furtherFields = '*';
/** The path of what is only written and undone as a whole. */
const whole = '';

/** That others undo what is written to an object, again and again. */
export type Contest = {
  /** How long the next write waits, in milliseconds; 0 if the object is as wanted, or may be written now. */
  readonly waitMs: number;
  /** When to look again, in milliseconds: when the wait ends, or the object has stayed as wanted for long enough. */
  readonly againMs: number;
  /** Whether it has just been undone. */
  readonly isNews: boolean;
  /** The paths that are contested, of those that differ now. */
  readonly paths: readonly string[];
};

type Field = {
  /** When it was last written because it differed; until then, when it was found to differ. */
  readonly repairedMs: number;
  /** How often in a row it was undone. */
  readonly undone: number;
  /** Whether it is undone now. */
  readonly isUndone: boolean;
};

type Fields = ReadonlyMap<string, Field>;

type Entry = {
  /** Of what was last written. */
  readonly hash: string;
  /** By path, of what was undone. */
  readonly fields: Fields;
};

/** Shared, since hardly any object is ever undone. */
const noFields: Fields = new Map();

/**
 * Notices objects whose writes others undo, and makes further writes of the same content wait: the first two repairs of a field
 * come at once, the following after 1 s, 2 s, 4 s, up to five minutes after its last repair. Each field counts on its own, so
 * that edits of several fields are no fight; a write waits for the field that has to wait longest, of those that differ. What
 * others leave alone for five minutes starts from the beginning, as does an object of which something else is wanted. At most
 * 32,768 objects are remembered, those that were written last.
 */
export class Contests {
  readonly #clock: Clock;
  /** The one that was written least recently first. */
  readonly #entries = new Map<string, Entry>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Records that content with this hash was written to the object at `key`. */
  written(key: string, hash: string): void {
    const before = this.#entries.get(key);
    const fields = before?.hash === hash ? repaired(before.fields, this.#clock.monotonicMs()) : noFields;
    this.#entries.delete(key);
    this.#entries.set(key, { hash, fields });
    const [oldest] = this.#entries.keys();
    if (this.#entries.size > maxEntries && oldest !== undefined) this.#entries.delete(oldest);
  }

  /**
   * Records that the object at `key` is not as wanted, by content with this hash.
   *
   * @param paths  what differs; by default the object as a whole.
   * @returns the contest, if it is one; with `waitMs` above 0 it must not be written yet.
   */
  undone(key: string, hash: string, paths: readonly string[] = [whole]): Contest | undefined {
    const entry = this.#entries.get(key);
    if (entry?.hash !== hash) return undefined;
    const nowMs = this.#clock.monotonicMs();
    const known = recent(entry.fields, nowMs);
    const names = countedAs(paths, known);
    const fields = counted(known, new Set(names), nowMs);
    this.#entries.set(key, { hash, fields });
    const contested = [...fields].filter(([, field]) => field.isUndone && isContested(field));
    if (contested.length === 0) return undefined;
    const waitMs = longest(contested, ([, field]) => field.repairedMs + waitAfter(field.undone) - nowMs);
    const contestedNames = new Set(contested.map(([name]) => name));
    return {
      waitMs,
      againMs: waitMs === 0 ? longest(contested, ([, { undone }]) => holdMs(undone)) : waitMs,
      isNews: contested.some(([name]) => known.get(name)?.isUndone !== true),
      paths: paths.filter((_path, index) => contestedNames.has(names[index] ?? '')),
    };
  }

  /**
   * Records that the object at `key` is as wanted, by content with this hash. Returns the contest, if it was one until a moment
   * ago.
   */
  asWanted(key: string, hash: string): Contest | undefined {
    const entry = this.#entries.get(key);
    if (entry?.hash !== hash || entry.fields.size === 0) return undefined;
    const fields = new Map([...entry.fields].map(([name, field]) => [name, { ...field, isUndone: false }]));
    this.#entries.set(key, { hash, fields });
    const nowMs = this.#clock.monotonicMs();
    const contested = [...fields.values()].filter(isContested);
    const leftMs = longest(contested, ({ repairedMs, undone }) => repairedMs + holdMs(undone) - nowMs);
    return leftMs > 0 ? { waitMs: 0, againMs: leftMs, isNews: false, paths: [] } : undefined;
  }

  /** Drops what is known of the object at `key`. */
  forget(key: string): void {
    this.#entries.delete(key);
  }
}

/** The longest of these times, in whole milliseconds; 0 if none is longer. */
function longest<T>(all: readonly T[], ms: (one: T) => number): number {
  return Math.max(0, ...all.map((one) => Math.ceil(ms(one))));
}

/** Under which name each of `paths` is counted. */
function countedAs(paths: readonly string[], known: Fields): string[] {
  const names = new Set(known.keys());
  return paths.map((path) => {
    if (!names.has(path) && names.size >= maxFields) return furtherFields;
    names.add(path);
    return path;
  });
}

/** `fields` once those called `undone` are undone, and no others. */
function counted(fields: Fields, undone: ReadonlySet<string>, nowMs: number): Fields {
  const now = new Map([...fields].map(([name, field]) => [name, { ...field, isUndone: undone.has(name) }]));
  for (const name of undone) {
    const before = fields.get(name) ?? { repairedMs: nowMs, undone: 0, isUndone: false };
    now.set(name, { ...before, undone: before.undone + (before.isUndone ? 0 : 1), isUndone: true });
  }
  return now;
}

/** `fields` without those that others have left alone for long enough. */
function recent(fields: Fields, nowMs: number): Fields {
  return new Map([...fields].filter(([, field]) => field.isUndone || nowMs - field.repairedMs < calmMs));
}

/** `fields` once those that were undone are written. */
function repaired(fields: Fields, nowMs: number): Fields {
  const written = (field: Field): Field =>
    field.isUndone ? { ...field, repairedMs: nowMs, isUndone: false } : field;
  return new Map([...fields].map(([name, field]) => [name, written(field)]));
}

function isContested({ undone }: Field): boolean {
  return undone > freeRepairs;
}

function waitAfter(undone: number): number {
  return backoffMs(backoff, undone - freeRepairs, 1);
}

function holdMs(undone: number): number {
  return Math.min(maxHoldMs, Math.max(minHoldMs, waitAfter(undone + 1)));
}

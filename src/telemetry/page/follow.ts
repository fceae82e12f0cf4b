import { element, showState, write } from './dom.ts';
import type { Filter } from './table.ts';

/** How often a page asks for its status, in ms. */
const periodMs = 2000;

/** A time of day, as the reader writes it. */
export const clockTime = new Intl.DateTimeFormat(undefined, { timeStyle: 'medium' });

/** What a page follows. */
export type Followed<T> = {
  /** E.g. `Relay`, for the title and the sentence about its absence. */
  readonly what: string;
  /** The path of the status in JSON, relative to the page. */
  readonly path: () => string;
  readonly show: (status: T) => void;
};

/** Fetches a status each period while the page is visible, and shows it, or since when there is no answer. */
export class Follower<T> {
  readonly #followed: Followed<T>;
  #respondedAt = new Date();

  constructor(followed: Followed<T>) {
    this.#followed = followed;
  }

  start(): void {
    void this.#poll();
  }

  /** Fetches and shows the status now. */
  async refresh(): Promise<void> {
    const { path, show } = this.#followed;
    const asked = path();
    const status = await fetched<T>(asked);
    if (asked !== path()) return; // a newer question is under way
    this.#showLost(status === undefined);
    if (status === undefined) return;
    this.#respondedAt = new Date();
    show(status);
  }

  async #poll(): Promise<void> {
    try {
      if (!document.hidden) await this.refresh();
    } finally {
      setTimeout(() => void this.#poll(), periodMs);
    }
  }

  #showLost(isLost: boolean): void {
    const { what } = this.#followed;
    const lost = element('lost');
    lost.hidden = !isLost;
    document.body.classList.toggle('stale', isLost);
    if (!isLost) return;
    const since = clockTime.format(this.#respondedAt);
    write(lost, `No answer from the ${what.toLowerCase()} since ${since}. The data below is from that time.`);
    showState(what, ['Unreachable', 'bad']);
  }
}

async function fetched<T>(path: string): Promise<T | undefined> {
  try {
    const response = await fetch(path, { cache: 'no-store', signal: AbortSignal.timeout(2 * periodMs) });
    return response.ok ? ((await response.json()) as T) : undefined;
  } catch {
    return undefined;
  }
}

/** Calls `changed` with what the user wants to see, whenever that changes. */
export function watchFilter(changed: (filter: Filter) => void): void {
  const [words, only] = [element('filter') as HTMLInputElement, element('only-problems') as HTMLInputElement];
  for (const input of [words, only])
    input.addEventListener('input', () => {
      changed({ words: words.value.trim(), onlyProblems: only.checked });
    });
}

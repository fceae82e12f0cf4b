import { setTimeout as delay } from 'node:timers/promises';

/** Undoes what the operator writes, as soon as it sees it, until it is stopped. */
export class Rival {
  /** How often it has undone something. */
  rounds = 0;
  #isOver = false;
  readonly #running: Promise<void>;

  /** @param undo  undoes it, if there is something to undo, and resolves with whether there was. */
  constructor(undo: () => Promise<boolean>) {
    this.#running = this.#run(undo);
  }

  async #run(undo: () => Promise<boolean>): Promise<void> {
    while (!this.#isOver) {
      if (await undo()) this.rounds += 1;
      await delay(5); // as a controller that watches
    }
  }

  /** Resolves once it undoes nothing any more. */
  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#running;
  }
}

import type { Remote } from '../upstream/remote.ts';
import { SilentRemoteError } from './upstream.ts';

/** The search of a route for a remote that answers: which remotes it has tried. */
export class Search {
  /** undefined = none runs. */
  #tried: Remote[] | undefined;
  #silent: readonly Remote[] = [];

  get isRunning(): boolean {
    return this.#tried !== undefined;
  }

  /** Begins, or goes on. @param silent  the remote that it leaves, which has not answered; undefined = it has failed. */
  goOn(silent: Remote | undefined): void {
    if (silent !== undefined) this.#silent = [...this.#silent, silent];
    this.#tried ??= [];
  }

  /** Begins with `remote` tried. */
  beginAfter(remote: Remote): void {
    this.#tried = [remote];
  }

  /** The next remote of `candidates` to try, which then counts as tried; undefined if it has tried all. */
  next(candidates: Iterable<Remote>): Remote | undefined {
    for (const each of candidates) {
      if (this.#tried?.includes(each) === true) continue;
      this.#tried?.push(each);
      return each;
    }
    return undefined;
  }

  /** Lets it try `remote` once more. */
  tryAgain(remote: Remote): void {
    this.#tried = this.#tried?.filter((each) => each !== remote);
  }

  /** Counts the silence of the remotes before `answering`, which has answered. */
  failSilent(answering: Remote): void {
    for (const remote of this.#silent) if (remote !== answering) remote.fail(new SilentRemoteError());
  }

  end(): void {
    this.#tried = undefined;
    this.#silent = [];
  }
}

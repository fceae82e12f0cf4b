import type { Clock } from '../../lib/clock.ts';
import { asError } from '../../lib/errors.ts';
import type { DescriptorBudget } from '../limits/descriptor-budget.ts';
import type { OwnSockets, RelayPath } from '../limits/own-sockets.ts';
import type { Target } from '../net/channel.ts';
import type { FlowFigures, UdpStack } from '../net/datagrams.ts';
import type { RemotePool } from '../upstream/remote-pool.ts';
import type { Remote } from '../upstream/remote.ts';
import { candidates, hasAlternatives, isToLeave } from './candidates.ts';
import type { KeptDatagrams } from './kept-datagrams.ts';
import { Pace } from './pace.ts';
import { targetsOf, type TargetsContext } from './targets.ts';
import {
  isInUse,
  SilentRemoteError,
  Upstream,
  type Carry,
  type DatagramHeader,
  type UpstreamContext,
} from './upstream.ts';

/** What a route works with. */
export type RouteContext = TargetsContext & {
  readonly clock: Clock;
  readonly budget: DescriptorBudget;
  readonly kept: KeptDatagrams;
  /** The client's address alone; an IPv4-mapped one as IPv4. */
  readonly ip: string;
  /** The remotes of the client's port, which a reload may change; undefined if it removed the port. */
  readonly pool: () => RemotePool | undefined;
  /** See `Pace`. */
  readonly timeoutMs: number;
  readonly header: DatagramHeader | undefined;
  readonly udp: UdpStack;
  /** Code point of what is sent, 0 to 63. */
  readonly dscp: number;
  /** Knows the sockets of the home and the trial. */
  readonly ownSockets: OwnSockets;
  /** The listening ports that the client came through. */
  readonly path: RelayPath;
  readonly onAnswer: (datagram: Uint8Array) => void;
};

/**
 * Where the datagrams of one client go: to the *home*, a remote at one address. A *search* tries the other addresses of
 * the home's name, then the other remotes, one at a time as a *trial*; the first that answers is the new home. If none
 * does, the home stays the home, and its socket has been open all the time.
 *
 * - An error (ICMP, RFC 1122 section 4.1.3.3) begins a search, or goes on with it, at once: with the datagram that it
 *   concerns if the home has never answered, else with the client's next one.
 * - Silence does so with the client's next datagram, as `Pace` permits.
 * - If health checks of the home fail, the next datagram goes to a remote whose checks pass, which is the home then.
 * - If a name no longer has the address of the home, which is silent, its new address is the home.
 */
export class Route {
  /** Why the remote in use, or the last one tried, failed; undefined if it did not, or has answered since. */
  error: Error | undefined;
  readonly #context: RouteContext;
  readonly #upstreamContext: UpstreamContext;
  readonly #pace: Pace;
  #home: Upstream | undefined;
  #trial: Upstream | undefined;
  /** The remotes that the running search has tried; undefined = none runs. */
  #tried: Remote[] | undefined;
  /** Remotes that were silent in the running search. */
  #silent: readonly Remote[] = [];
  #lastTried: Remote | undefined;
  /** Datagrams wait for a lookup or for a socket. */
  #isMoving = false;
  /** Aborts the lookup in progress when what it was for has passed. */
  #turn = new AbortController();

  constructor(context: RouteContext) {
    this.#context = context;
    this.#pace = new Pace(context.timeoutMs);
    this.#upstreamContext = {
      header: context.header,
      udp: context.udp,
      dscp: context.dscp,
      ownSockets: context.ownSockets,
      path: context.path,
      onOpen: (upstream) => {
        if (upstream === this.#current) this.#flush();
      },
      onAnswer: (upstream, datagram) => {
        this.#onAnswer(upstream);
        context.onAnswer(datagram);
      },
      onError: (upstream, error) => {
        this.#onError(upstream, error);
      },
    };
  }

  /** The remote in use, or the last one tried; undefined before the first. */
  get remote(): Remote | undefined {
    return this.#current?.remote ?? this.#lastTried;
  }

  /** Sends the client's datagram, now or once there is a socket. */
  send(datagram: Uint8Array, nowMs: number): void {
    const { kept } = this.#context;
    const current = this.#current;
    if (this.#isMoving) {
      if (current !== undefined && isInUse(current)) this.#sendTo(current, datagram, nowMs);
      else kept.wait(datagram);
    } else if (this.#isToMove(nowMs)) {
      kept.wait(datagram);
      this.#move();
    } else if (current !== undefined) {
      this.#sendTo(current, datagram, nowMs);
      if (this.#isLookupDue(current, nowMs)) void this.#lookAgain(current, datagram);
    }
  }

  /**
   * Offers what goes to the home and comes from it to another thread, if there is nothing to decide here for now.
   *
   * @returns what that thread counts, until `onReturned`; undefined if there is something to decide.
   */
  carry(carry: Carry, onReturned: (figures: FlowFigures) => void): FlowFigures | undefined {
    const home = this.#home;
    if (home === undefined || this.#trial !== undefined || this.#isMoving) return undefined;
    const hasAlternatives = this.#hasAlternatives;
    if (hasAlternatives && !this.#isSettled(home)) return undefined;
    const limits = hasAlternatives
      ? this.#pace.limits(home.remote.ip === undefined)
      : { silentMs: Infinity, notBeforeMs: 0 };
    const figures = home.carry(carry, { ...limits, onReturned });
    if (figures !== undefined) this.#context.kept.forgetLatest();
    return figures;
  }

  /** To be called now and then while another thread carries: takes over again if there is something to decide. */
  review(): void {
    this.#home?.countTraffic();
    if (this.#hasAlternatives && this.#home?.remote.passesChecks === false) this.#home.endFlow();
  }

  /** Closes its sockets; to be called once. */
  close(): void {
    this.#endSearch();
    this.#home?.close();
  }

  /** Whether the client stays at `home` for now. */
  #isSettled({ isAnswered, remote }: Upstream): boolean {
    return !this.#isSearching && remote.passesChecks && (isAnswered || this.#pace.hasSlowed);
  }

  get #current(): Upstream | undefined {
    return this.#trial ?? this.#home;
  }

  get #hasAlternatives(): boolean {
    return hasAlternatives(this.#context.pool());
  }

  #isToMove(nowMs: number): boolean {
    const current = this.#current;
    if (current === undefined) return this.#pace.maySearch(nowMs);
    if (this.#pace.isTooSilent(current.silentMs(nowMs), this.#isSearching)) return this.#hasAlternatives;
    if (!current.isFailed && current.remote.passesChecks) return false;
    if (!this.#pace.maySearch(nowMs)) return false;
    return current.isFailed ? this.#hasAlternatives : isToLeave(current.remote, this.#context.pool());
  }

  #move(): void {
    this.#context.udp.needsTick();
    this.#home?.endFlow();
    this.#isMoving = true;
    const current = this.#current;
    if (current?.isFailed === false) this.#silent = [...this.#silent, current.remote];
    this.#tried ??= [];
    void this.#tryNext();
  }

  get #isSearching(): boolean {
    return this.#tried !== undefined;
  }

  /** The next remote to try, of those that are configured now; undefined if the search has tried all. */
  get #next(): Remote | undefined {
    const { pool, ip } = this.#context;
    for (const each of candidates(pool(), ip, this.#home))
      if (this.#tried?.includes(each) !== true) return each;
    return undefined;
  }

  async #tryNext(): Promise<void> {
    if (this.#trial?.advance() === true) return;
    this.#closeTrial();
    const turn = this.#nextTurn();
    for (;;) {
      const next = this.#next;
      if (next === undefined) break;
      this.#tried?.push(next);
      const isOpened = await this.#try(next, turn);
      if (isOpened || turn.aborted) return;
    }
    this.#settle();
  }

  /** @returns whether a socket to `remote` is being opened. */
  async #try(remote: Remote, turn: AbortSignal): Promise<boolean> {
    this.#lastTried = remote;
    remote.acquire();
    try {
      const targets = await targetsOf(remote, this.#context, turn);
      if (!turn.aborted && this.#open(remote, targets)) return true; // which releases it
    } catch (error) {
      if (!turn.aborted) this.#onLookupError(remote, asError(error));
    }
    remote.release();
    return false;
  }

  #onLookupError(remote: Remote, error: Error): void {
    if (this.#home === undefined) this.error = error;
    if (remote !== this.#home?.remote) remote.fail(error); // the home goes on without its name
  }

  /** Ends the lookup in progress. @returns aborts when the next turn begins. */
  #nextTurn(): AbortSignal {
    this.#turn.abort();
    this.#turn = new AbortController();
    return this.#turn.signal;
  }

  /** Opens a trial, or the home if there is none that stays. @returns false if that is not possible. */
  #open(remote: Remote, targets: readonly Target[]): boolean {
    const home = this.#home;
    const others = targets.filter(({ address }) => remote !== home?.remote || address !== home.address);
    if (others.length === 0) return false;
    const isMoved = remote === home?.remote && others.length === targets.length;
    if (isMoved || (home !== undefined && !this.#mayStay(home))) this.#dropHome();
    if (this.#home !== undefined) return this.#openTrial(remote, others);
    // If the client gets no answer there, its name may have moved, or have other addresses.
    if (!isMoved) this.#tried = this.#tried?.filter((each) => each !== remote);
    this.error = undefined;
    this.#home = new Upstream(remote, others, this.#upstreamContext);
    return true;
  }

  /** Whether `home` stays open during a trial. */
  #mayStay({ remote }: Upstream): boolean {
    const { through, pool } = this.#context;
    const isPortShared = through !== undefined && through.port !== 0; // which two sockets cannot bind
    return !isPortShared && !isToLeave(remote, pool());
  }

  #openTrial(remote: Remote, targets: readonly Target[]): boolean {
    const { budget } = this.#context;
    if (!budget.hasRoom(1)) return false; // a session in use elsewhere needs it more
    budget.take(1);
    this.#trial = new Upstream(remote, targets, this.#upstreamContext);
    return true;
  }

  #dropHome(): void {
    this.#home?.close();
    this.#home = undefined;
  }

  #closeTrial(): void {
    if (this.#trial === undefined) return;
    this.#trial.close();
    this.#trial = undefined;
    this.#context.budget.release(1);
  }

  /** No remote has answered: the home stays, and the next search has to wait. */
  #settle(): void {
    this.#endSearch();
    this.#pace.slowDown(this.#context.clock.monotonicMs());
    this.#home?.startAgain();
    this.#flush();
  }

  #endSearch(): void {
    this.#nextTurn();
    this.#closeTrial();
    this.#tried = undefined;
    this.#silent = [];
  }

  #flush(): void {
    const nowMs = this.#context.clock.monotonicMs();
    this.#isMoving = false;
    for (const datagram of this.#context.kept.takeWaiting()) {
      if (this.#current !== undefined) this.#sendTo(this.#current, datagram, nowMs);
    }
  }

  #sendTo(upstream: Upstream, datagram: Uint8Array, nowMs: number): void {
    if (!upstream.isAnswered && this.#hasAlternatives) this.#context.kept.keepLatest(datagram);
    upstream.send(datagram, nowMs);
  }

  #onAnswer(upstream: Upstream): void {
    this.error = undefined;
    if (upstream === this.#home && !this.#isSearching && !this.#pace.hasSlowed) return;
    if (upstream === this.#trial) this.#promote(upstream);
    this.#endSearch();
    this.#pace.restart();
    this.#context.kept.forgetLatest();
    if (this.#isMoving) this.#flush();
  }

  /** Makes the trial, which has answered, the home, and counts the silence of those before it. */
  #promote(trial: Upstream): void {
    const home = this.#home;
    if (home?.remote === trial.remote) trial.remote.addresses.defer(home.address);
    for (const remote of this.#silent) if (remote !== trial.remote) remote.fail(new SilentRemoteError());
    this.#dropHome();
    this.#home = trial;
    this.#trial = undefined;
    this.#context.budget.release(1);
  }

  #onError(upstream: Upstream, error: Error): void {
    if (upstream !== this.#current) return; // the search has left it
    const isLookingUp = this.#isMoving && upstream.isOpen;
    if (!isLookingUp && !upstream.isAnswered && upstream.advance()) {
      this.#isMoving = true;
      this.#context.kept.waitAgain();
      return;
    }
    upstream.fail(error);
    if (upstream === this.#home) this.error = error;
    if (isLookingUp) return;
    if (upstream === this.#home && !upstream.isOpen) this.#dropHome();
    this.#continue(upstream);
  }

  /** Goes on at once if the client waits for a first answer, else with its next datagram. */
  #continue(failed: Upstream): void {
    const { kept, clock } = this.#context;
    const nowMs = clock.monotonicMs();
    const isSearch = failed === this.#trial || (this.#pace.maySearch(nowMs) && this.#hasAlternatives);
    if (isSearch && !failed.isAnswered && kept.waitAgain()) {
      this.#move();
      return;
    }
    if (this.#home === undefined) this.#pace.hold(nowMs);
    this.#isMoving = false;
    kept.takeWaiting();
  }

  /** Whether to look the name of the home up again, which is silent while no search runs. */
  #isLookupDue(home: Upstream, nowMs: number): boolean {
    if (this.#isSearching || home.remote.ip !== undefined) return false;
    return this.#pace.takeLookup(home.silentMs(nowMs), nowMs);
  }

  /** Looks the name of the home up again; if it has moved, sends `datagram` there. */
  async #lookAgain(home: Upstream, datagram: Uint8Array): Promise<void> {
    const { kept, udp } = this.#context;
    udp.needsTick();
    home.endFlow();
    kept.keepLatest(datagram);
    const turn = this.#nextTurn();
    const targets = await targetsOf(home.remote, this.#context, turn).catch(() => []); // see `#onLookupError`
    if (turn.aborted || this.#isSearching) return; // it has answered, or a search looks it up, too
    if (targets.length === 0 || targets.some(({ address }) => address === home.address)) {
      if (home.isAnswered) kept.forgetLatest();
      return;
    }
    this.#isMoving = true;
    this.#tried = [home.remote];
    kept.waitAgain();
    home.remote.acquire();
    this.#open(home.remote, targets);
  }
}

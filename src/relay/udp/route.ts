import type { Clock } from '../../lib/clock.ts';
import { asError } from '../../lib/errors.ts';
import type { Target } from '../net/channel.ts';
import type { FlowFigures } from '../net/datagrams.ts';
import type { Remote } from '../upstream/remote.ts';
import { candidates, hasAlternatives, isToLeave } from './candidates.ts';
import type { KeptDatagrams } from './kept-datagrams.ts';
import { Pace } from './pace.ts';
import { RouteSockets, type RouteSocketsContext } from './route-sockets.ts';
import { Search } from './search.ts';
import { targetsOf, type TargetsContext } from './targets.ts';
import { type Carry, isInUse, type Upstream, type UpstreamSettings } from './upstream.ts';

/** What a route works with. */
export type RouteContext = TargetsContext &
  RouteSocketsContext &
  UpstreamSettings & {
    readonly clock: Clock;
    readonly kept: KeptDatagrams;
    /** The client's address alone; an IPv4-mapped one as IPv4. */
    readonly ip: string;
    /** See `Pace`. */
    readonly timeoutMs: number;
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
  readonly #sockets: RouteSockets;
  readonly #pace: Pace;
  readonly #search = new Search();
  #lastTried: Remote | undefined;
  /** Datagrams wait for a lookup or for a socket. */
  #isMoving = false;
  /** Aborts the lookup in progress when what it was for has passed. */
  #turn = new AbortController();

  constructor(context: RouteContext) {
    this.#context = context;
    this.#pace = new Pace(context.timeoutMs);
    this.#sockets = new RouteSockets(context, {
      ...context,
      onOpen: (upstream) => {
        if (upstream === this.#sockets.current) this.#flush();
      },
      onAnswer: (upstream, datagram) => {
        this.#onAnswer(upstream);
        context.onAnswer(datagram);
      },
      onError: (upstream, error) => {
        this.#onError(upstream, error);
      },
    });
  }

  /** The remote in use, or the last one tried; undefined before the first. */
  get remote(): Remote | undefined {
    return this.#sockets.current?.remote ?? this.#lastTried;
  }

  /** Sends the client's datagram, now or once there is a socket. */
  send(datagram: Uint8Array, nowMs: number): void {
    const { kept } = this.#context;
    const { current } = this.#sockets;
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
    const { home, trial } = this.#sockets;
    if (home === undefined || trial !== undefined || this.#isMoving) return undefined;
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
    const { home } = this.#sockets;
    home?.countTraffic();
    if (this.#hasAlternatives && home?.remote.passesChecks === false) home.endFlow();
  }

  /** Closes its sockets; to be called once. */
  close(): void {
    this.#endSearch();
    this.#sockets.dropHome();
  }

  /** Whether the client stays at `home` for now. */
  #isSettled({ isAnswered, remote }: Upstream): boolean {
    return !this.#search.isRunning && remote.passesChecks && (isAnswered || this.#pace.hasSlowed);
  }

  get #hasAlternatives(): boolean {
    return hasAlternatives(this.#context.pool());
  }

  #isToMove(nowMs: number): boolean {
    const { current } = this.#sockets;
    if (current === undefined) return this.#pace.maySearch(nowMs);
    if (this.#pace.isTooSilent(current.silentMs(nowMs), this.#search.isRunning)) return this.#hasAlternatives;
    if (!current.isFailed && current.remote.passesChecks) return false;
    if (!this.#pace.maySearch(nowMs)) return false;
    return current.isFailed ? this.#hasAlternatives : isToLeave(current.remote, this.#context.pool());
  }

  #move(): void {
    const { current, home } = this.#sockets;
    this.#context.udp.needsTick();
    home?.endFlow();
    this.#isMoving = true;
    this.#search.goOn(current?.isFailed === false ? current.remote : undefined);
    void this.#tryNext();
  }

  async #tryNext(): Promise<void> {
    const { pool, ip } = this.#context;
    if (this.#sockets.trial?.advance() === true) return;
    this.#sockets.closeTrial();
    const turn = this.#nextTurn();
    for (;;) {
      const next = this.#search.next(candidates(pool(), ip, this.#sockets.home));
      if (next === undefined) break;
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
    const { home } = this.#sockets;
    if (home === undefined) this.error = error;
    if (remote !== home?.remote) remote.fail(error); // the home goes on without its name
  }

  /** Ends the lookup in progress. @returns aborts when the next turn begins. */
  #nextTurn(): AbortSignal {
    this.#turn.abort();
    this.#turn = new AbortController();
    return this.#turn.signal;
  }

  /** Opens a trial, or the home if there is none that stays. @returns false if that is not possible. */
  #open(remote: Remote, targets: readonly Target[]): boolean {
    const opened = this.#sockets.open(remote, targets);
    // If the client gets no answer there, its name may have moved, or have other addresses.
    if (opened === 'home') this.#search.tryAgain(remote);
    if (opened === 'home' || opened === 'moved home') this.error = undefined;
    return opened !== undefined;
  }

  /** No remote has answered: the home stays, and the next search has to wait. */
  #settle(): void {
    this.#endSearch();
    this.#pace.slowDown(this.#context.clock.monotonicMs());
    this.#sockets.home?.startAgain();
    this.#flush();
  }

  #endSearch(): void {
    this.#nextTurn();
    this.#sockets.closeTrial();
    this.#search.end();
  }

  #flush(): void {
    const nowMs = this.#context.clock.monotonicMs();
    this.#isMoving = false;
    for (const datagram of this.#context.kept.takeWaiting()) {
      const { current } = this.#sockets;
      if (current !== undefined) this.#sendTo(current, datagram, nowMs);
    }
  }

  #sendTo(upstream: Upstream, datagram: Uint8Array, nowMs: number): void {
    if (!upstream.isAnswered && this.#hasAlternatives) this.#context.kept.keepLatest(datagram);
    upstream.send(datagram, nowMs);
  }

  #onAnswer(upstream: Upstream): void {
    const { home, trial } = this.#sockets;
    this.error = undefined;
    if (upstream === home && !this.#search.isRunning && !this.#pace.hasSlowed) return;
    if (upstream === trial) {
      this.#search.failSilent(upstream.remote);
      this.#sockets.promote(upstream);
    }
    this.#endSearch();
    this.#pace.restart();
    this.#context.kept.forgetLatest();
    if (this.#isMoving) this.#flush();
  }

  #onError(upstream: Upstream, error: Error): void {
    if (upstream !== this.#sockets.current) return; // the search has left it
    const isLookingUp = this.#isMoving && upstream.isOpen;
    if (!isLookingUp && !upstream.isAnswered && upstream.advance()) {
      this.#isMoving = true;
      this.#context.kept.waitAgain();
      return;
    }
    upstream.fail(error);
    const isHome = upstream === this.#sockets.home;
    if (isHome) this.error = error;
    if (isLookingUp) return;
    if (isHome && !upstream.isOpen) this.#sockets.dropHome();
    this.#continue(upstream);
  }

  /** Goes on at once if the client waits for a first answer, else with its next datagram. */
  #continue(failed: Upstream): void {
    const { kept, clock } = this.#context;
    const nowMs = clock.monotonicMs();
    const isSearch = failed === this.#sockets.trial || (this.#pace.maySearch(nowMs) && this.#hasAlternatives);
    if (isSearch && !failed.isAnswered && kept.waitAgain()) {
      this.#move();
      return;
    }
    if (this.#sockets.home === undefined) this.#pace.hold(nowMs);
    this.#isMoving = false;
    kept.takeWaiting();
  }

  /** Whether to look the name of the home up again, which is silent while no search runs. */
  #isLookupDue(home: Upstream, nowMs: number): boolean {
    if (this.#search.isRunning || home.remote.ip !== undefined) return false;
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
    if (turn.aborted || this.#search.isRunning) return; // it has answered, or a search looks it up, too
    if (targets.length === 0 || targets.some(({ address }) => address === home.address)) {
      if (home.isAnswered) kept.forgetLatest();
      return;
    }
    this.#isMoving = true;
    this.#search.beginAfter(home.remote);
    kept.waitAgain();
    home.remote.acquire();
    this.#open(home.remote, targets);
  }
}

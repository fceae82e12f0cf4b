import { socketAddressText, type SocketAddress } from '../../config/address.ts';
import { backoffMs, type Backoff } from '../../lib/backoff.ts';
import type { Clock } from '../../lib/clock.ts';
import type { IpAddress } from '../../lib/ip-address.ts';
import { plainText } from '../../lib/plain-text.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { RecentErrors } from '../stats/recent-errors.ts';
import { AddressOrder } from './address-order.ts';
import { healthOf, type RemoteFailure, type RemoteHealth } from './remote-health.ts';

/** How long a remote whose dials fail is ejected. */
const ejectionBackoff: Backoff = { initialMs: 1000, maxMs: 60_000 };
/** Characters of a message that are kept. */
const maxMessageLength = 200;

/** The outcome of a dial or a check; '' = it succeeded. */
type Outcome = { readonly timeMs: number; readonly message: string };

/** What a remote works with. */
export type RemoteContext = {
  readonly log: Logger;
  readonly errors: RecentErrors;
  readonly clock: Clock;
  /** In [0, 1), for the jitter of backoffs. */
  readonly random: () => number;
  /** Another remote has accepted after `remote` had been silent; see `OvertakenChecks`. */
  readonly onOvertaken: (remote: Remote) => void;
};

/** A configured remote and what is known of it: how many connections it has, and whether dials and checks succeed. */
export class Remote implements SocketAddress {
  readonly host: string;
  readonly port: number;
  readonly ip?: IpAddress;
  /** As configured, e.g. `[2001:db8::1]:443`. */
  readonly text: string;
  /** Which addresses of its name to try first by UDP. */
  readonly addresses: AddressOrder;
  readonly #endpoint: string;
  readonly #context: RemoteContext;
  #active = 0;
  #dials = 0;
  #failed = 0;
  #fromClientBytes = 0;
  #fromUpstreamBytes = 0;
  #lastFailure: Outcome | undefined;
  #lastCheck: Outcome | undefined;
  #failedInARow = 0;
  #ejectedUntilMs = 0;
  #isUp = true;
  #isDialled = false;
  /** Whether a check has passed, or enough have failed. */
  #isChecked = false;
  /** Consecutive checks that contradict `#isUp`. */
  #contraryChecks = 0;
  /** The remote whose checks count for this one, too. */
  #mirrored: Remote | undefined;

  /** @param endpoint  name of its endpoint. */
  constructor(endpoint: string, address: SocketAddress, context: RemoteContext) {
    this.#endpoint = endpoint;
    this.host = address.host;
    this.port = address.port;
    if (address.ip !== undefined) this.ip = address.ip;
    this.text = socketAddressText(address);
    this.#context = context;
    this.addresses = new AddressOrder(context.clock);
  }

  /** Connections or associations that are open or being dialled. */
  get active(): number {
    return this.#active;
  }

  /** Whether checks pass and the last dial succeeded; true before the first of either. */
  get isHealthy(): boolean {
    return this.passesChecks && this.#failedInARow === 0;
  }

  /** Whether its health checks pass; true without checks. */
  get passesChecks(): boolean {
    return (this.#mirrored ?? this).#isUp;
  }

  /** Whether it is tried in its turn: it is healthy, or its backoff is over and checks pass. */
  get isPreferred(): boolean {
    return this.isHealthy || (this.passesChecks && this.#context.clock.monotonicMs() >= this.#ejectedUntilMs);
  }

  get health(): RemoteHealth {
    const failing = this.isHealthy ? '' : 'DialFailed';
    const reason = this.passesChecks ? failing : 'CheckFailed';
    const checked = this.#mirrored ?? this;
    const isKnown = this.#isDialled || checked.#isChecked;
    const working = isKnown ? 'healthy' : 'unknown';
    return {
      address: this.text,
      ...healthOf(this.isHealthy ? working : 'unhealthy'),
      reason,
      active: this.#active,
      dials: this.#dials,
      failed: this.#failed,
      fromClientBytes: this.#fromClientBytes,
      fromUpstreamBytes: this.#fromUpstreamBytes,
      lastCheck: checkOf(checked.#lastCheck),
      lastFailure: failureOf(this.#lastFailure),
    };
  }

  /** A dial begins; its connection counts until `release`. */
  acquire(): void {
    this.#active += 1;
    this.#dials += 1;
  }

  /** Counts bytes that went to the remote, and that came from it. */
  transferred(fromClientBytes: number, fromUpstreamBytes: number): void {
    this.#fromClientBytes += fromClientBytes;
    this.#fromUpstreamBytes += fromUpstreamBytes;
  }

  /** The dial or connection that `acquire` counted has ended. */
  release(): void {
    this.#active -= 1;
  }

  /** A client tries it after its backoff; until the outcome is known it stays ejected for the others. */
  probe(): void {
    this.#eject();
  }

  /** A dial failed: ejects the remote, longer with each consecutive failure. */
  fail(err: Error): void {
    this.#failed += 1;
    this.#lastFailure = this.#outcome(err);
    this.#isDialled = true;
    this.#failedInARow += 1;
    this.#eject();
    this.#context.errors.add({ ...this.#logFields(), side: 'upstream', error: err });
    if (this.#failedInARow > 1) return;
    this.#context.log.warn({ ...this.#logFields(), err }, 'remote ejected');
  }

  /** See `DialTarget.overtaken`. */
  overtaken(): void {
    this.#context.onOvertaken(this);
  }

  /** A dial succeeded. */
  succeed(): void {
    const wasFailing = this.#failedInARow > 0;
    this.#isDialled = true;
    this.#failedInARow = 0;
    if (wasFailing) this.#context.log.info(this.#logFields(), 'remote recovered');
  }

  /** A health check passed: healthy again after `threshold` in a row. */
  passCheck(threshold: number): void {
    this.#isChecked = true;
    this.#lastCheck = this.#outcome();
    if (this.#failedInARow > 0) this.succeed();
    if (!this.#flips(true, threshold)) return;
    this.#context.log.info(this.#logFields(), 'remote is healthy again');
  }

  /** A health check failed: unhealthy, and therefore tried last, after `threshold` in a row. */
  failCheck(threshold: number, err: Error): void {
    this.#lastCheck = this.#lastFailure = this.#outcome(err);
    if (!this.#flips(false, threshold)) return;
    this.#isChecked = true;
    const reason = 'HealthCheckFailed';
    this.#context.errors.add({ ...this.#logFields(), side: 'upstream', reason, error: err });
    this.#context.log.warn({ ...this.#logFields(), err }, 'remote is unhealthy');
  }

  /** Adopts the result of the checks of another remote, which logs and counts it. */
  follow(checked: Remote): void {
    this.#isChecked = checked.#isChecked;
    this.#lastCheck = checked.#lastCheck;
    if (this.#isUp === checked.#isUp) return;
    this.#isUp = checked.#isUp;
    this.#contraryChecks = 0;
  }

  /** Makes the checks of `checked` count for this remote, too; undefined = it has checks of its own. */
  mirrorChecksOf(checked: Remote | undefined): void {
    this.#mirrored = checked;
  }

  /** Forgets the results of checks, which have ended. */
  clearChecks(): void {
    this.#isUp = true;
    this.#isChecked = false;
    this.#lastCheck = undefined;
    this.#contraryChecks = 0;
  }

  /** Counts a check with the result `isUp`. @returns whether it changes the state. */
  #flips(isUp: boolean, threshold: number): boolean {
    this.#contraryChecks = this.#isUp === isUp ? 0 : this.#contraryChecks + 1;
    if (this.#contraryChecks === 0 || this.#contraryChecks < threshold) return false;
    this.#isUp = isUp;
    this.#contraryChecks = 0;
    return true;
  }

  #eject(): void {
    const { clock, random } = this.#context;
    const delayMs = backoffMs(ejectionBackoff, Math.max(1, this.#failedInARow), random());
    this.#ejectedUntilMs = clock.monotonicMs() + delayMs;
  }

  #outcome(error?: Error): Outcome {
    const message = error === undefined ? '' : error.message || error.name;
    return { timeMs: this.#context.clock.now().getTime(), message };
  }

  #logFields(): { endpoint: string; upstream: string } {
    return { endpoint: this.#endpoint, upstream: this.text };
  }
}

function checkOf(outcome: Outcome | undefined): RemoteHealth['lastCheck'] {
  return outcome === undefined ? null : { ...outcomeText(outcome), passed: outcome.message === '' };
}

function failureOf(outcome: Outcome | undefined): RemoteHealth['lastFailure'] {
  return outcome === undefined ? null : outcomeText(outcome);
}

function outcomeText({ timeMs, message }: Outcome): RemoteFailure {
  return { time: new Date(timeMs).toISOString(), message: plainText(message, maxMessageLength) };
}

import type { EndpointConfig } from '../../config/relay-config.ts';
import { dialForCheck } from './check-dial.ts';
import { Dial } from './dial.ts';
import type { ConnectionAttempt } from './happy-eyeballs.ts';
import { tcpConnect, type Connect, type HealthChecksContext } from './health-checks.ts';
import type { Remote } from './remote.ts';

/** How long after the end of a check a remote may be checked again. */
const pauseMs = 1000;

/** What the checks of an endpoint work with. */
export type OvertakenChecksContext = HealthChecksContext & {
  /** The endpoint's configuration, which a reload may change. */
  readonly config: () => EndpointConfig;
  /** Connects to remotes through their transports; undefined if they are plain TCP. */
  readonly connect: () => Connect | undefined;
};

/**
 * Checks remotes that others have overtaken, one check of each at a time: a dial without a client, which has the time that
 * clients no longer wait. One that fails ejects the remote, which would otherwise cost every client a quarter of a second; one
 * that succeeds changes nothing, because the remote is merely slow.
 */
export class OvertakenChecks {
  readonly #context: OvertakenChecksContext;
  readonly #running = new Map<Remote, Dial<ConnectionAttempt>>();
  /** When a remote that is merely slow may be checked again. */
  readonly #paused = new WeakMap<Remote, number>();

  constructor(context: OvertakenChecksContext) {
    this.#context = context;
  }

  /** Checks `remote`, unless that is being done, was done within the last second, or there is no descriptor for it. */
  run(remote: Remote): void {
    const { budget, clock } = this.#context;
    const isPaused = (this.#paused.get(remote) ?? 0) > clock.monotonicMs();
    if (isPaused || this.#running.has(remote) || !budget.hasRoom(1)) return;
    budget.take(1);
    void this.#check(remote);
  }

  /** Ends all checks. */
  stop(): void {
    for (const dial of this.#running.values()) dial.cancel();
  }

  /** Never rejects: a failure is reported to the remote. */
  async #check(remote: Remote): Promise<void> {
    const { budget, clock } = this.#context;
    const dial = this.#newDial();
    this.#running.set(remote, dial);
    await dialForCheck(dial, remote, {
      succeed: () => {
        remote.succeed();
      },
      fail: (error) => {
        remote.fail(error);
      },
    });
    this.#running.delete(remote);
    this.#paused.set(remote, clock.monotonicMs() + pauseMs);
    budget.release(1);
  }

  #newDial(): Dial<ConnectionAttempt> {
    const config = this.#context.config();
    const { through, dialDevice: device, deniedDestinations: denied, network } = config;
    return new Dial({
      ...this.#context,
      through,
      device,
      denied,
      timeoutMs: network.tcpTimeoutMs,
      connect: this.#context.connect() ?? tcpConnect(this.#context.tcp, config),
      onFailedTry: () => undefined,
    });
  }
}

import { socketAddressText } from '../../config/address.ts';
import type { EndpointConfig } from '../../config/relay-config.ts';
import { backoffMs, type Backoff } from '../../lib/backoff.ts';
import { present } from '../../lib/record.ts';
import { hostText, parseIpAddress, type IpFamily } from '../../lib/ip-address.ts';
import type { BindFault } from './bind-fault.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { Lookup } from '../dns/lookup.ts';
import type { LogLimiter } from '../stats/log-limiter.ts';
import type { RecentErrors } from '../stats/recent-errors.ts';
import type { InheritedSockets } from './inherited-sockets.ts';
import type { ServedEndpoints, SocketSpec } from './socket-plan.ts';
import { bindAddress, type ListenRequest, type OpenListener } from './listener.ts';

const retryBackoff: Backoff = { initialMs: 1000, maxMs: 30_000 };

/** What the listening sockets of a relay work with. */
export type ListenerContext = {
  readonly log: Logger;
  readonly errors: RecentErrors;
  readonly clock: Clock;
  readonly lookup: Lookup;
  /** In [0, 1), for the jitter of retries. */
  readonly random: () => number;
  /** Opens a listening socket and serves its clients. @throws the kernel's error, for example EADDRINUSE. */
  readonly listen: (request: ListenRequest) => Promise<OpenListener>;
  /** What to listen on instead of binding, by the key of its spec. */
  readonly inherited: InheritedSockets;
};

/** What a managed listener works with. */
export type ManagedListenerContext = ListenerContext & {
  /** The wanted configuration of an endpoint; undefined if none has that name. */
  readonly wanted: (endpoint: string) => EndpointConfig | undefined;
  /** Explains why a bind failed. */
  readonly explain: (error: unknown, socket: ManagedListener) => Promise<BindFault>;
  /** The log for lines that each port of an endpoint may cause. */
  readonly limitedLog: (endpoint: string) => LogLimiter;
};

/** One listening socket, bound or still to be bound. Its `spec` is fixed; the endpoints that it serves may change. */
export class ManagedListener {
  readonly spec: SocketSpec;
  /** Names of the endpoints whose clients arrive here. */
  endpoints: ServedEndpoints;
  readonly #context: ManagedListenerContext;
  #open: OpenListener | undefined;
  #fault: BindFault | undefined;
  #failures = 0;
  #isClosed = false;
  #stopRetry: () => void = () => undefined;

  constructor(spec: SocketSpec, endpoints: ServedEndpoints, context: ManagedListenerContext) {
    this.spec = spec;
    this.endpoints = endpoints;
    this.#context = context;
  }

  /** The first of them, for the log. */
  get endpoint(): string {
    return this.endpoints[0];
  }

  /** Why it is not bound; undefined if it is, or was not tried yet. */
  get fault(): BindFault | undefined {
    return this.#fault;
  }

  /** The open socket; undefined while it is not bound. */
  get open(): OpenListener | undefined {
    return this.#open;
  }

  get isBound(): boolean {
    return this.#open !== undefined;
  }

  /** The families whose clients it serves, IPv4 first; none while it is not bound. */
  get families(): readonly IpFamily[] {
    return this.#open?.families ?? [];
  }

  /** The address that it listens on, for example `[::]:443`; as configured while it is not bound. */
  get address(): string {
    if (this.#open === undefined) return socketAddressText(this.spec.listen);
    const ip = parseIpAddress(this.#open.address);
    return `${ip === undefined ? this.#open.address : hostText(ip)}:${String(this.#open.port)}`;
  }

  /** Tries to bind once: afterwards either `isBound` is true or `fault` is set. Never rejects. */
  async bind(): Promise<void> {
    this.#stopRetry();
    try {
      const open = await this.#listen();
      if (this.#isClosed) {
        await open.close();
        return;
      }
      this.#open = open;
      this.#logBound();
    } catch (error) {
      this.#logFault(await this.#context.explain(error, this));
    }
  }

  /** Retries with backoff until it is bound or closed. */
  retryUntilBound(): void {
    if (this.isBound || this.#isClosed) return;
    this.#stopRetry();
    const delayMs = backoffMs(retryBackoff, Math.max(1, this.#failures), this.#context.random());
    this.#stopRetry = this.#context.clock.after(delayMs, () => {
      void this.bind().then(() => {
        this.retryUntilBound();
      });
    });
  }

  /** Frees the port, in this turn of the event loop unless workers hold it. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#stopRetry();
    const open = this.#open;
    this.#open = undefined;
    await open?.close();
  }

  /** Accepts no new clients. */
  async drain(): Promise<void> {
    this.#isClosed = true;
    this.#stopRetry();
    await this.#open?.drain();
  }

  /** Leaves new clients to a successor. */
  async release(): Promise<void> {
    this.#isClosed = true;
    this.#stopRetry();
    await this.#open?.release();
  }

  async #listen(): Promise<OpenListener> {
    const { listen, lookup, inherited } = this.#context;
    const address = await bindAddress(this.spec, lookup);
    const onLost = (error: Error): void => {
      if (this.#isClosed) return;
      void this.#open?.close(); // releases what is still accounted to it
      this.#open = undefined;
      void this.#context.explain(error, this).then((fault) => {
        this.#logFault(fault);
        this.retryUntilBound();
      });
    };
    const { spec, endpoints } = this;
    return listen({
      spec,
      address,
      endpoints,
      onLost,
      ...present('inherited', inherited.take(spec.key)),
    });
  }

  #logBound(): void {
    const fields = {
      endpoint: this.endpoint,
      protocol: this.spec.protocol,
      listen: this.address,
    };
    const { log, limitedLog } = this.#context;
    if (this.#fault !== undefined) limitedLog(this.endpoint).info(fields, 'listening again');
    else if (this.#isFirstPort()) log.info(fields, 'listening');
    else log.debug(fields, 'listening');
    this.#fault = undefined;
    this.#failures = 0;
  }

  /** Of a port range only the first port is logged at info; failures are logged for each port, up to a limit. */
  #isFirstPort(): boolean {
    const { range, listen } = this.#context.wanted(this.endpoint) ?? {};
    return range === undefined || this.spec.listen.port === listen?.port;
  }

  /** Logs each new reason once; further failures for the same reason only at debug. */
  #logFault(fault: BindFault): void {
    if (this.#isClosed) return;
    const { log, errors, limitedLog } = this.#context;
    const { endpoint } = this;
    errors.add({ endpoint, side: 'relay', reason: fault.reason, error: { message: fault.message } });
    const fields = { endpoint, reason: fault.reason, problem: fault.message };
    if (fault.message === this.#fault?.message) log.debug(fields, 'bind failed again');
    else limitedLog(endpoint).error({ ...fields, err: fault.error }, 'bind failed, retrying');
    this.#fault = fault;
    this.#failures += 1;
  }
}

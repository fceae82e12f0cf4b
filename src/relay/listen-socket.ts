import { socketAddressText } from '../config/address.ts';
import { backoffMs, type Backoff } from '../lib/backoff.ts';
import { hostText, parseIpAddress, type IpFamily } from '../lib/ip-address.ts';
import type { BindFault } from './bind-fault.ts';
import type { Accepted } from './channel.ts';
import type { Endpoint, Surroundings } from './endpoint.ts';
import type { SocketSpec } from './endpoint-plan.ts';
import { bindAddress, type Listening } from './listening.ts';
import { listenTcp } from './tcp-listener.ts';
import { isIpv6OnlySystem, listenUdp } from './udp-listener.ts';

const retryBackoff: Backoff = { firstMs: 1000, mostMs: 30_000 };

/** What a listening socket needs besides its name. */
export type ListenSocketContext = Surroundings & {
  /** Says why a bind failed. */
  readonly explain: (error: unknown, socket: ListenSocket) => Promise<BindFault>;
};

/** One listening socket, bound or not yet: its name stays, the endpoint that it serves may change. */
export class ListenSocket {
  readonly spec: SocketSpec;
  /** Whose clients arrive here. */
  endpoint: Endpoint;
  readonly #context: ListenSocketContext;
  #listening: Listening | undefined;
  #fault: BindFault | undefined;
  #failures = 0;
  #isClosed = false;
  #stopRetry: () => void = () => undefined;

  constructor(spec: SocketSpec, endpoint: Endpoint, context: ListenSocketContext) {
    this.spec = spec;
    this.endpoint = endpoint;
    this.#context = context;
  }

  /** Why it is not bound; undefined where it is, or was not tried yet. */
  get fault(): BindFault | undefined {
    return this.#fault;
  }

  get isBound(): boolean {
    return this.#listening !== undefined;
  }

  /** Whose clients it serves, IPv4 first; none while it is not bound. */
  get families(): readonly IpFamily[] {
    return this.#listening?.families ?? [];
  }

  /** Where it listens, e.g. `[::]:443`; as configured while it is not bound. */
  get address(): string {
    if (this.#listening === undefined) return socketAddressText(this.spec.listen);
    const ip = parseIpAddress(this.#listening.address);
    return `${ip === undefined ? this.#listening.address : hostText(ip)}:${String(this.#listening.port)}`;
  }

  /** Tries once to bind; afterwards it `isBound` or has a `fault`. Never rejects. */
  async bind(): Promise<void> {
    this.#stopRetry();
    try {
      const listening = await this.#listen();
      if (this.#isClosed) {
        listening.close();
        return;
      }
      this.#listening = listening;
      this.#tellBound();
    } catch (error) {
      this.#tellFault(await this.#context.explain(error, this));
    }
  }

  /** Binds again after a while, and again, until it is bound or closed. */
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

  /** Frees the port. */
  close(): void {
    this.#isClosed = true;
    this.#stopRetry();
    this.#listening?.close();
    this.#listening = undefined;
  }

  /** Takes no new clients. */
  drain(): void {
    this.#isClosed = true;
    this.#stopRetry();
    this.#listening?.drain();
  }

  async #listen(): Promise<Listening> {
    const { log, lookup, tcp } = this.#context;
    const address = await bindAddress(this.spec, lookup);
    const { ipv6Only, listen } = this.spec;
    if (this.spec.protocol === 'UDP') {
      return listenUdp({
        address,
        port: listen.port,
        ipv6Only,
        log,
        isIpv6OnlySystem: isIpv6OnlySystem(),
        associate: (...client) => this.endpoint.associate(listen.port, ...client),
      });
    }
    const onAccepted = (client: Accepted): void => {
      this.endpoint.serve(client, listen.port);
    };
    const onAcceptError = (err: Error): void => {
      this.endpoint.warn({ endpoint: this.endpoint.config.name, err }, 'accept failed');
    };
    return listenTcp({ address, port: listen.port, ipv6Only, tcp, onAccepted, onAcceptError });
  }

  #tellBound(): void {
    const fields = {
      endpoint: this.endpoint.config.name,
      protocol: this.spec.protocol,
      listen: this.address,
    };
    const { log } = this.#context;
    if (this.#fault !== undefined) log.info(fields, 'listening again');
    else if (this.#isFirstPort()) log.info(fields, 'listening');
    else log.debug(fields, 'listening');
    this.#fault = undefined;
    this.#failures = 0;
  }

  /** Of a range one port is told of; those that cannot be bound are told one by one. */
  #isFirstPort(): boolean {
    const { range, listen } = this.endpoint.config;
    return range === undefined || this.spec.listen.port === listen.port;
  }

  /** Tells each new reason once; the tries that fail for the same one only at debug. */
  #tellFault(fault: BindFault): void {
    if (this.#isClosed) return;
    const { log, errors } = this.#context;
    const endpoint = this.endpoint.config.name;
    errors.add({ endpoint, side: 'relay', reason: fault.reason, error: { message: fault.message } });
    const fields = { endpoint, reason: fault.reason, problem: fault.message };
    if (fault.message === this.#fault?.message) log.debug(fields, 'bind failed again');
    else log.error({ ...fields, err: fault.error }, 'bind failed, will be retried');
    this.#fault = fault;
    this.#failures += 1;
  }
}

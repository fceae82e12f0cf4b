import type { Accepted } from '../net/channel.ts';
import type { Endpoint } from './endpoint.ts';
import { HelloRouter, type HelloRouterContext, type SharedBy } from './hello-router.ts';

/** The endpoints that an open listener belongs to, which a reload may change: one, or several that share it by `sni`. */
export class Serving {
  readonly #context: HelloRouterContext;
  #endpoints: SharedBy;
  /** Made for the first client that needs it. */
  #router: HelloRouter | undefined;

  constructor(endpoints: SharedBy, context: HelloRouterContext) {
    this.#endpoints = endpoints;
    this.#context = context;
  }

  /** The first of them. */
  get endpoint(): Endpoint {
    return this.#endpoints[0];
  }

  /** Clients whose ClientHello is awaited. */
  get load(): number {
    return this.#router?.load ?? 0;
  }

  /** The listener belongs to `endpoints` from now on. */
  share(endpoints: SharedBy): void {
    this.#endpoints = endpoints;
    this.#router?.share(endpoints);
  }

  /** Serves a client of the listening port `port`. */
  serve(accepted: Accepted, port: number): void {
    if (this.endpoint.config.sni === undefined) this.endpoint.serve(accepted, port);
    else this.#awaiting().serve(accepted, port);
  }

  /** Resets the clients whose ClientHello is awaited. */
  cut(): void {
    this.#router?.cut();
  }

  /** Resolves when no ClientHello is awaited. */
  async idle(): Promise<void> {
    await this.#router?.idle();
  }

  #awaiting(): HelloRouter {
    return (this.#router ??= new HelloRouter(this.#endpoints, this.#context));
  }
}

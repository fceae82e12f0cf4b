import type { SocketSpec } from './endpoint-plan.ts';
import type { Lookup } from './dial.ts';
import { withZoneName } from './zone.ts';

/** A bound listening socket. */
export type Listening = {
  /** As bound: of a name its first address. */
  readonly address: string;
  /** As bound: never 0. */
  readonly port: number;
  /** Frees the port at once. TCP connections go on; UDP associations end, since they answer through it. */
  readonly close: () => void;
  /** Takes nothing new; what is going on goes on. */
  readonly drain: () => void;
};

/** The one address that `spec` is bound to: of a name the first one. */
export async function bindAddress({ listen }: SocketSpec, lookup: Lookup): Promise<string> {
  if (listen.ip !== undefined) return withZoneName(listen.host);
  const [first] = await lookup(listen.host);
  return first ?? listen.host;
}

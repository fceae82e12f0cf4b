import { boundFamilies } from '../../api/port-conflicts.ts';
import { parseIpAddress, type IpFamily } from '../../lib/ip-address.ts';
import type { SocketSpec } from './socket-plan.ts';
import type { Lookup } from '../dns/lookup.ts';
import { withZoneName } from '../dns/zone.ts';

/** A bound listening socket. */
export type Listener = {
  /** As bound: of a name its first address. */
  readonly address: string;
  /** As bound: never 0. */
  readonly port: number;
  /** Whose clients it serves, IPv4 first. */
  readonly families: readonly IpFamily[];
  /** Frees the port, at once or as soon as the promise says. TCP connections go on; UDP associations end, since they answer through it. */
  readonly close: () => Promise<void>;
  /** Takes nothing new; what is going on goes on. */
  readonly drain: () => Promise<void>;
};

/** A listening socket to be opened. */
export type ListenRequest = {
  readonly spec: SocketSpec;
  /** The IP address to bind, a name's first one. */
  readonly address: string;
  /** Name of the endpoint, planned or running, that serves its clients. */
  readonly endpoint: string;
  /** Told when it was open and is not any more, by nobody's wish. */
  readonly onLost: (error: Error) => void;
};

/** A listening socket that is open, until `close`. */
export type OpenListener = Pick<Listener, 'address' | 'port' | 'families'> & {
  /** Takes nothing new; what is going on goes on. */
  readonly drain: () => Promise<void>;
  /** Frees the port, at once or as soon as the promise says. TCP connections go on, UDP associations end. */
  readonly close: () => Promise<void>;
};

/** The one address that `spec` is bound to: of a name the first one. */
export async function bindAddress({ listen }: SocketSpec, lookup: Lookup): Promise<string> {
  if (listen.ip !== undefined) return withZoneName(listen.host);
  const [first] = await lookup(listen.host);
  return first ?? listen.host;
}

/** The families whose clients reach a socket bound to `address`, IPv4 first. */
export function familiesOf(address: string, ipv6Only: boolean): readonly IpFamily[] {
  const ip = parseIpAddress(address);
  return ip === undefined ? [] : boundFamilies({ address: ip, ipv6Only });
}

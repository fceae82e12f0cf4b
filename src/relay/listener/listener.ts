/**
 * `listener`: which listening sockets a configuration needs, binding them, and why a bind failed.
 *
 * Vocabulary. A `SocketSpec` identifies a listening socket by protocol, address and IPV6_V6ONLY. A `SocketPlan` states
 * which sockets a reload keeps, binds and closes. A `ManagedListener` is one of them, bound or waiting to be retried;
 * what it opens is an `OpenListener`, over TCP or UDP. A `BindFault` is why a bind failed, and what to do about it. To
 * pause a listener is to leave its new clients in the kernel; to drain it is to accept no new ones.
 *
 * Guarantee: a socket whose spec stays the same stays open across a reload, and so do its clients; IPV6_V6ONLY is set
 * explicitly, and SO_REUSEPORT only on what is bound already, so that a port is either the relay's alone or its bind fails.
 */

import { boundFamilies } from '../../api/port-conflicts.ts';
import { parseIpAddress, type IpFamily } from '../../lib/ip-address.ts';
import type { ServedEndpoints, SocketSpec } from './socket-plan.ts';
import type { Lookup } from '../dns/lookup.ts';
import type { BoundHandle } from '../net/channel.ts';
import { withZoneName } from '../dns/zone.ts';

/** A listening socket that is bound, until `close`. */
export type OpenListener = {
  /** The IP address that it is bound to; of a host name the first one. */
  readonly address: string;
  /** The port that it is bound to, never 0. */
  readonly port: number;
  /** The families whose clients it serves, IPv4 first. */
  readonly families: readonly IpFamily[];
  /** How many sockets of the system it is; more than one only if several threads receive UDP. */
  readonly sockets: number;
  /** Accepts no new clients; connections and associations go on. */
  readonly drain: () => Promise<void>;
  /** Leaves new clients to another process that has this socket, too; connections go on, UDP associations end. */
  readonly release: () => Promise<void>;
  /**
   * Frees the port, at the latest when the promise resolves. TCP connections go on; UDP associations end, because they
   * answer through the socket.
   */
  readonly close: () => Promise<void>;
};

/** A request to open a listening socket. */
export type ListenRequest = {
  readonly spec: SocketSpec;
  /** The IP address to bind; of a host name the first one. */
  readonly address: string;
  /** Names of the endpoints, planned or running, that serve its clients. */
  readonly endpoints: ServedEndpoints;
  /** The socket, which a predecessor bound and listens on; absent = to be bound. */
  readonly inherited?: BoundHandle;
  /** Called if the socket is lost after it was opened, without `close`. */
  readonly onLost: (error: Error) => void;
};

/** The IP address to bind `spec` to: of a host name the first one. @throws the error of `lookup`. */
export async function bindAddress({ listen }: SocketSpec, lookup: Lookup): Promise<string> {
  if (listen.ip !== undefined) return withZoneName(listen.host);
  const [first] = await lookup(listen.host);
  return first ?? listen.host;
}

/** The families whose clients reach a socket that is bound to `address`, IPv4 first. */
export function familiesOf(address: string, ipv6Only: boolean): readonly IpFamily[] {
  const ip = parseIpAddress(address);
  return ip === undefined ? [] : boundFamilies({ address: ip, ipv6Only });
}

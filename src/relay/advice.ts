import type { RelayConfig } from '../config/relay-config.ts';
import { hostAddresses } from '../lib/own-addresses.ts';
import type { Engine } from './net/engine.ts';
import { withUncertainReplies } from './listener/reply-source.ts';

/** What is recommended for several endpoints, and their names. */
export type Advice = { readonly what: string; readonly names: readonly string[] };

/** What is recommended on this host, one item for all endpoints each, since what it is about is rarely set for one alone. */
export function advice({ endpoints }: RelayConfig, { udp }: Engine): readonly Advice[] {
  const unlimited = endpoints.filter(({ network }) => network.tcp && network.tcpIdleTimeoutMs === 0);
  const idle = 'no idle limit, silent connections stay open: set tcp_idle_timeout, 600 is a good choice';
  const uncertain = udp.answersFromAsked ? [] : withUncertainReplies(endpoints, hostAddresses());
  const replies =
    'this host has several addresses, and UDP answers may leave from another one than the client asked: use --engine kernel, or listen on each address by an endpoint of its own';
  return [
    { what: idle, names: unlimited.map(({ name }) => name) },
    { what: replies, names: uncertain.map(({ name }) => name) },
  ].filter(({ names }) => names.length > 0);
}

import { loopFindings } from '../config/config-findings.ts';
import type { ParsedConfig } from '../config/parsed-config.ts';
import type { RelayConfig } from '../config/relay-config.ts';
import { counted } from '../lib/counted.ts';
import { hostAddresses, machineNames } from '../lib/own-addresses.ts';
import { problemText } from '../lib/problem.ts';
import type { Logger } from '../telemetry/logger.ts';
import type { RelayIdentity } from './identity.ts';
import type { TcpStack } from './net/channel.ts';
import type { Engine } from './net/engine.ts';
import { mptcpProblem } from './net/mptcp-error.ts';
import { withUncertainReplies } from './listener/reply-source.ts';
import { inLanguage, type ConfigLanguage } from './stats/remedy.ts';

/** What is recommended for several endpoints, and their names. */
export type Advice = { readonly what: string; readonly names: readonly string[] };

/**
 * What is recommended on this host, one item for all endpoints each, since what it is about is rarely set for one alone.
 *
 * @param language  whose fields are named.
 */
export function advice(
  { endpoints }: RelayConfig,
  { udp }: Engine,
  language: ConfigLanguage,
): readonly Advice[] {
  const unlimited = endpoints.filter(({ network }) => network.tcp && network.tcpIdleTimeoutMs === 0);
  const idle = `no idle limit, silent connections stay open: set ${inLanguage('tcp_idle_timeout', language)}, 600 is a good choice`;
  const uncertain = udp.answersFromAsked ? [] : withUncertainReplies(endpoints, hostAddresses());
  const replies =
    'this host has several addresses, and UDP answers may leave from another one than the client asked: use --engine kernel, or listen on each address by an endpoint of its own';
  return [
    { what: idle, names: unlimited.map(({ name }) => name) },
    { what: replies, names: uncertain.map(({ name }) => name) },
  ].filter(({ names }) => names.length > 0);
}

/** The MPTCP sockets that endpoints request and that cannot be opened here, one item for all endpoints each. */
export function mptcpProblems({ endpoints }: RelayConfig, tcp: TcpStack): readonly Advice[] {
  const tcpEndpoints = endpoints.filter(({ network }) => network.tcp);
  const users = {
    send_mptcp: tcpEndpoints.filter(({ network }) => network.sendMptcp),
    accept_mptcp: tcpEndpoints.filter(({ network }) => network.acceptMptcp),
  };
  if (users.send_mptcp.length + users.accept_mptcp.length === 0) return [];
  const fault = tcp.mptcpFault();
  if (fault === undefined) return [];
  return (['send_mptcp', 'accept_mptcp'] as const)
    .map((key) => ({ what: mptcpProblem(key, fault), names: users[key].map(({ name }) => name) }))
    .filter(({ names }) => names.length > 0);
}

/** An item of advice for people. */
export function adviceText({ what, names }: Advice): string {
  return `${what} (${counted(names.length, 'endpoint')}, first: ${String(names[0])})`;
}

/** Where warnings go, whose fields they name, and what moves the bytes. */
export type WarningContext = {
  readonly log: Logger;
  readonly identity: RelayIdentity;
  readonly engine: Engine;
};

/**
 * Logs what is recommended, and what has no effect.
 *
 * @param withoutEffect  names of flags.
 */
export function logWarnings(
  withoutEffect: readonly string[],
  { config, warnings }: ParsedConfig,
  { log, identity, engine }: WarningContext,
): void {
  for (const { what, names } of advice(config, engine, identity.madeOf))
    log.warn({ endpoints: names.length, first: names[0] }, what);
  for (const { what: problem, names } of mptcpProblems(config, engine.tcp))
    log.error({ problem, endpoints: names.length, first: names[0] }, 'configuration problem');
  for (const flag of withoutEffect) log.warn({ flag: `--${flag}` }, 'flag has no effect');
  for (const warning of warnings) {
    log.warn({ source: warning.source, problem: problemText(warning) }, 'configuration warning');
  }
  logLoops(config, log);
}

/** The endpoints run nevertheless: what comes back to them is reset, and the others serve. */
function logLoops({ endpoints }: RelayConfig, log: Logger): void {
  const { problems, warnings } = loopFindings(endpoints, machineNames());
  for (const problem of problems) log.error({ problem }, 'configuration problem');
  for (const problem of warnings) log.warn({ problem }, 'configuration warning');
}

import {
  fields,
  flag,
  listOf,
  oneOf,
  text,
  wholeNumber,
  type FieldsOf,
  type Rule,
} from '../lib/document-rules.ts';
import { hostText, parseIpAddress } from '../lib/ip-address.ts';
import { logLevels } from '../lib/log-level.ts';
import { ownStrategies } from './balance.ts';
import { isFault, parseSocketAddress, type SocketAddress } from './address.ts';
import { dnsRulesWith } from './dns-config.ts';
import { listenTransport, remoteTransport } from './transport.ts';

const mostSeconds = 2_147_483; // what a timer of Node takes, in milliseconds
const mostKeepaliveSeconds = 32_767; // Linux: MAX_TCP_KEEPIDLE
const mostKeepaliveProbes = 127; // Linux: MAX_TCP_KEEPCNT
const mostThreshold = 100;
const mostConnections = 1_000_000;
const mostAssociations = 1_000_000;
const mostWaiting = 65_536;

/** An address to listen on; port 0 = any free one. */
const listenAddress: Rule<SocketAddress> = (value, path, findings) => {
  const written = text(value, path, findings);
  if (written === undefined) return undefined;
  const parsed = parseSocketAddress(written);
  if (!isFault(parsed)) return parsed;
  findings.problems.push({ path, value, ...parsed });
  return undefined;
};

/** An address to dial. */
const remoteAddress: Rule<SocketAddress> = (value, path, findings) => {
  const address = listenAddress(value, path, findings);
  if (address?.port !== 0) return address;
  findings.problems.push({ path, what: 'has no port to dial', value, remedy: 'use a port from 1 to 65535' });
  return undefined;
};

/** An address to dial from, with or without a port; '' = any. */
const sourceAddress: Rule<SocketAddress> = (value, path, findings) => {
  const written = text(value, path, findings);
  if (written === undefined || written === '') return undefined;
  const bare = parseIpAddress(written.replace(/^\[(.*)\]$/, '$1'));
  const parsed = parseSocketAddress(bare === undefined ? written : `${hostText(bare)}:0`);
  if (isFault(parsed)) {
    const remedy = 'write an IP address, or one or a host name with a port';
    findings.problems.push({ path, what: parsed.what, value, remedy });
    return undefined;
  }
  if (parsed.port !== 0) {
    const what = 'has a port, from which an address can only be dialled once at a time';
    findings.warnings.push({ path, what, value, remedy: 'leave it out' });
  }
  return parsed;
};

/** A key of Realm that asks for something this relay does not do; `harmless` asks for nothing. */
function unsupported(harmless: unknown, what: string): Rule<never> {
  return (value, path, findings) => {
    if (value === harmless) return undefined;
    findings.problems.push({ path, what, value, remedy: 'remove it' });
    return undefined;
  };
}

/** A key that Realm still reads and that does nothing there either. */
const withoutEffect: Rule<never> = (_value, path, findings) => {
  findings.warnings.push({ path, what: 'has no effect', remedy: 'remove it' });
  return undefined;
};

/** An IP address, or a range of them: `10.0.0.0/8`. */
const ipRange: Rule<string> = (value, path, findings) => {
  const written = text(value, path, findings);
  if (written === undefined) return undefined;
  const [, address = '', prefix = '0'] = /^([^/%]+)(?:\/([0-9]{1,3}))?$/.exec(written) ?? [];
  const ip = parseIpAddress(address);
  if (ip !== undefined && Number(prefix) <= (ip.family === 'IPv4' ? 32 : 128)) return written;
  const remedy = 'write an address or a range, such as "10.0.0.0/8" or "2001:db8::/32"';
  findings.problems.push({ path, what: 'is not a range of IP addresses', value, remedy });
  return undefined;
};

/** An empty list would read as nobody, and mean everyone. @param everyone  what its absence does. */
function sources(everyone: string): Rule<readonly string[]> {
  return (value, path, findings) => {
    const ranges = listOf(ipRange)(value, path, findings);
    if (!Array.isArray(value) || value.length > 0) return ranges;
    const remedy = `name a source, or remove the key to ${everyone}`;
    findings.problems.push({ path, what: 'is empty', remedy });
    return undefined;
  };
}

const noMptcp = 'asks for MPTCP sockets, which Node.js cannot make';
const noDevice = 'binds to a device, which Node.js cannot do';

const logRules = { level: oneOf(logLevels), output: text };

const dnsRules = dnsRulesWith(remoteAddress);

const networkRules = {
  no_tcp: flag,
  use_udp: flag,
  ipv6_only: flag,
  tcp_timeout: wholeNumber(0, mostSeconds),
  udp_timeout: wholeNumber(0, mostSeconds),
  tcp_keepalive: wholeNumber(0, mostKeepaliveSeconds),
  tcp_keepalive_probe: wholeNumber(1, mostKeepaliveProbes),
  tcp_idle_timeout: wholeNumber(0, mostSeconds),
  tcp_half_close_timeout: wholeNumber(0, mostSeconds),
  max_connections: wholeNumber(0, mostConnections),
  max_waiting: wholeNumber(0, mostWaiting),
  max_associations: wholeNumber(0, mostAssociations),
  allowed_sources: sources('serve everybody'),
  send_mptcp: unsupported(false, noMptcp),
  accept_mptcp: unsupported(false, noMptcp),
  send_proxy: flag,
  send_proxy_version: wholeNumber(1, 2),
  accept_proxy: flag,
  accept_proxy_timeout: wholeNumber(0, mostSeconds),
  accept_proxy_trusted: sources('trust everyone'),
  fast_open: withoutEffect,
  zero_copy: withoutEffect,
};

/** The keys of an endpoint. */
export const endpointRules = {
  name: text,
  range_of: text,
  listen: listenAddress,
  remote: remoteAddress,
  extra_remotes: listOf(remoteAddress),
  balance: text,
  strategy: oneOf(ownStrategies),
  health_check: fields({
    interval: wholeNumber(1, mostSeconds),
    timeout: wholeNumber(1, mostSeconds),
    unhealthy_threshold: wholeNumber(1, mostThreshold),
    healthy_threshold: wholeNumber(1, mostThreshold),
  }),
  network: fields(networkRules),
  through: sourceAddress,
  interface: unsupported('', noDevice),
  listen_interface: unsupported('', noDevice),
  listen_transport: listenTransport,
  remote_transport: remoteTransport,
};

const endpointRule = fields(endpointRules, ['listen', 'remote']);

/** The whole file. */
export const documentRule = fields(
  {
    log: fields(logRules),
    network: fields(networkRules),
    dns: fields(dnsRules),
    endpoints: listOf(endpointRule),
  },
  ['endpoints'],
);

/** The keys that flags of the command line can stand above. */
export const overrideRules = { log: logRules, dns: dnsRules, network: networkRules };

/** One endpoint as read: addresses parsed, nothing defaulted, cross-checks still to come. */
export type ReadEndpoint = NonNullable<ReturnType<typeof endpointRule>>;

/** A network table as read. */
export type ReadNetwork = NonNullable<ReadEndpoint['network']>;

/** A log table as read. */
export type ReadLog = FieldsOf<typeof logRules>;

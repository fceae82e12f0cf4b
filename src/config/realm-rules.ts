import { fields, flag, listOf, oneOf, text, wholeNumber, type Rule } from '../lib/document-rules.ts';
import { ipRanges, listenAddress, remoteAddress, sourceAddress } from './address-rules.ts';
import { backendsRule } from './backends.ts';
import { ownStrategies } from './balance.ts';
import { dnsKeys } from './dns-config.ts';
import { healthCheckKeys, udpCheck } from './health-check-keys.ts';
import { key, ours, rulesOf, type Key } from './key-table.ts';
import { logKeys } from './log-config.ts';
import { networkKeys } from './network-keys.ts';
import type { RealmEndpoint } from './realm-document.ts';
import { sniRule } from './sni-rule.ts';
import { listenTransport, remoteTransport } from './transport.ts';

/** A key that Realm still accepts and that has no effect there either. */
const withoutEffect: Rule<never> = (_value, path, findings) => {
  findings.warnings.push({ path, what: 'has no effect', remedy: 'remove it' });
  return undefined;
};

/** The name of a network interface; '' = none. Source: Linux, dev_valid_name and IFNAMSIZ. */
const deviceName: Rule<string> = (value, path, findings) => {
  const name = text(value, path, findings);
  if (name === undefined || name === '') return undefined;
  if (/^[^/:\s\0]{1,15}$/.test(name) && name !== '.' && name !== '..') return name;
  const remedy = 'give its name as "ip link" lists it, at most 15 characters';
  findings.problems.push({ path, what: 'is no name of a network interface', value, remedy });
  return undefined;
};

const networkRules = {
  ...rulesOf(networkKeys),
  fast_open: withoutEffect,
  zero_copy: withoutEffect,
};

/** The keys of an endpoint that the relay supports; `RealmEndpoint` documents them. */
export const endpointKeys = {
  name: ours(key(text)),
  range_of: ours(key(text)),
  listen: key(listenAddress),
  listen_end_port: ours(key(wholeNumber(1, 65_535))),
  fixed_remote_ports: ours(key(listOf(flag))),
  sni: ours(key(sniRule)),
  remote: key(remoteAddress),
  extra_remotes: key(listOf(remoteAddress)),
  balance: key(text),
  strategy: ours(key(oneOf(ownStrategies))),
  backends: ours(key(backendsRule)),
  health_check: ours(key(fields({ ...rulesOf(healthCheckKeys), udp: udpCheck }))),
  network: key(fields(networkRules)),
  through: key(sourceAddress),
  interface: key(deviceName),
  listen_interface: key(deviceName),
  listen_transport: key(listenTransport),
  remote_transport: key(remoteTransport),
} satisfies Readonly<Record<keyof RealmEndpoint, Key<unknown>>>;

/** The rules of an endpoint. */
export const endpointRules = rulesOf(endpointKeys);

/** An endpoint. */
export const endpointRule = fields(endpointRules, ['listen', 'remote']);

/** The rules of the global tables, whose keys can be overridden by command-line flags. */
export const overrideRules = { log: rulesOf(logKeys), dns: rulesOf(dnsKeys), network: networkRules };

/** The whole file. @param endpoint  reads an endpoint as `endpointRule` does. */
export const documentRule = (endpoint: Rule<ReadEndpoint>) =>
  fields(
    {
      log: fields(overrideRules.log),
      network: fields(overrideRules.network),
      dns: fields(overrideRules.dns),
      denied_destinations: ipRanges,
      endpoints: listOf(endpoint),
    },
    ['endpoints'],
  );

/** One endpoint as read: addresses parsed, no defaults applied, keys not yet checked against each other. */
export type ReadEndpoint = NonNullable<ReturnType<typeof endpointRule>>;

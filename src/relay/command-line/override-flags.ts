import type { Overrides } from '../../config/parsed-config.ts';
import { overrideRules } from '../../config/realm-rules.ts';
import type { Findings, Rule } from '../../lib/document-rules.ts';
import { problemText, type Problem } from '../../lib/problem.ts';
import type { GivenFlags } from './given-flags.ts';
import { UsageError } from '../../lib/usage-error.ts';
import { ownValue } from '../../lib/record.ts';
import { parseUnsigned } from '../../lib/unsigned.ts';

type Section = keyof typeof overrideRules;
type Override = {
  readonly section: Section;
  readonly keys: readonly string[];
  readonly value: (word: string) => unknown;
};

const always = (): boolean => true;
const lowerCase = (word: string): string => word.toLowerCase();
const number = (word: string): unknown => parseUnsigned(word) ?? word;
const boolean = (word: string): unknown => ({ true: true, false: false })[word] ?? word;
const list = (word: string): string[] => word.split(',').map((part) => part.trim());

function override(
  section: Section,
  keys: string | readonly string[],
  value: (word: string) => unknown,
): Override {
  return { section, keys: [keys].flat(), value };
}

/** Flags that take precedence over keys of the file. */
const table: Readonly<Record<string, Override>> = {
  udp: override('network', 'use_udp', always),
  ntcp: override('network', 'no_tcp', always),
  mtcp: override('network', ['send_mptcp', 'accept_mptcp'], always),
  ipv6: override('network', 'ipv6_only', always),
  'tcp-timeout': override('network', 'tcp_timeout', number),
  'udp-timeout': override('network', 'udp_timeout', number),
  'tcp-keepalive': override('network', 'tcp_keepalive', number),
  'tcp-keepalive-probe': override('network', 'tcp_keepalive_probe', number),
  'send-proxy': override('network', 'send_proxy', boolean),
  'send-proxy-version': override('network', 'send_proxy_version', number),
  'accept-proxy': override('network', 'accept_proxy', boolean),
  'accept-proxy-timeout': override('network', 'accept_proxy_timeout', number),
  'dns-mode': override('dns', 'mode', lowerCase),
  'dns-protocol': override('dns', 'protocol', lowerCase),
  'dns-servers': override('dns', 'nameservers', list),
  'dns-min-ttl': override('dns', 'min_ttl', number),
  'dns-max-ttl': override('dns', 'max_ttl', number),
  'dns-cache-size': override('dns', 'cache_size', number),
  'log-level': override('log', 'level', lowerCase),
  'log-output': override('log', 'output', (word) => word),
};

/**
 * The keys that flags set, whatever the file sets, and warnings about their values.
 *
 * @throws UsageError with every wrong value at once.
 */
export function overrides(given: GivenFlags): {
  readonly overrides: Overrides;
  readonly warnings: readonly Problem[];
} {
  const findings: Findings = { problems: [], warnings: [] };
  const read: Record<Section, Record<string, unknown>> = { log: {}, dns: {}, network: {} };
  for (const [name, { section, keys, value }] of Object.entries(table)) {
    const word = given.get(name);
    if (word === undefined) continue;
    const rules = overrideRules[section] as Readonly<Record<string, Rule<unknown>>>;
    for (const key of keys) {
      const rule = ownValue(rules, key);
      Object.assign(read[section], { [key]: rule?.(value(word), [`--${name}`], findings) });
    }
  }
  if (findings.problems.length > 0) throw new UsageError(findings.problems.map(problemText).join('\n'));
  return { overrides: read, warnings: findings.warnings };
}

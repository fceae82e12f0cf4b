import { isIPv4 } from 'node:net';
import { ownValue } from '../../lib/record.ts';
import { hostPort, leftOut, type ForeignEndpoint, type ForeignNote, type ForeignReader } from './foreign.ts';

/** Names of ports that occur in such files. Source: IANA, "Service Name and Transport Protocol Port Number Registry". */
const portNames: Readonly<Record<string, number>> = {
  ...{
    ftp: 21,
    ssh: 22,
    telnet: 23,
    smtp: 25,
    domain: 53,
    http: 80,
    pop3: 110,
    ntp: 123,
    imap: 143,
    imap2: 143,
  },
  ...{
    ldap: 389,
    https: 443,
    submission: 587,
    ldaps: 636,
    imaps: 993,
    pop3s: 995,
    mysql: 3306,
    postgresql: 5432,
  },
};

/** Words that concern only the program itself. */
const ownWords = ['logfile', 'logcommon', 'pidlogfile', 'syslog'];

type Rule = { readonly line: number; readonly isAllow: boolean; readonly pattern: string };

/**
 * Reads rinetd.conf: `bindaddress bindport connectaddress connectport`, and allow and deny rules.
 *
 * Source: rinetd(8).
 */
export const readRinetd: ForeignReader = (text) => {
  const endpoints: (ForeignEndpoint & { readonly rules: Rule[] })[] = [];
  const notes: ForeignNote[] = [];
  const common: Rule[] = [];
  for (const [index, written] of text.split('\n').entries()) {
    const line = index + 1;
    const words = wordsOf(written);
    const [first] = words;
    if (first === undefined || ownWords.includes(first)) continue;
    const rule = ruleIn(words, line);
    if (rule !== undefined) (endpoints.at(-1)?.rules ?? common).push(rule);
    else endpoints.push(...forwarding(words, line, notes).map((each) => ({ ...each, rules: [] })));
  }
  return { endpoints: endpoints.map((each) => withSources(each, [...common, ...each.rules], notes)), notes };
};

function wordsOf(line: string): string[] {
  const comment = line.search(/(?<!\S)#/);
  return (comment < 0 ? line : line.slice(0, comment)).split(/\s+/).filter((word) => word !== '');
}

function ruleIn([first, pattern = '']: readonly string[], line: number): Rule | undefined {
  return first === 'allow' || first === 'deny' ? { line, isAllow: first === 'allow', pattern } : undefined;
}

function forwarding(words: readonly string[], line: number, notes: ForeignNote[]): ForeignEndpoint[] {
  const [bindAddress, bindPort, address, port, ...options] = words;
  const [from, to] = [portOf(bindPort), portOf(port)];
  if (bindAddress === undefined || address === undefined || from === undefined || from.isUdp !== to?.isUdp) {
    notes.push({
      severity: 'warning',
      line,
      word: words.slice(0, 4).join(' '),
      what: 'is no forwarding rule and is left out',
      remedy: 'write the addresses, and the ports as numbers of one protocol: 0.0.0.0 80 192.0.2.10 8080',
    });
    return [];
  }
  if (options.length > 0) notes.push(...optionNotes(options.join(' '), line));
  const endpoint = {
    listen: hostPort(bindAddress === '*' ? '0.0.0.0' : bindAddress, from.port),
    remote: hostPort(address, to.port),
    ...(from.isUdp && { network: { use_udp: true, no_tcp: true } }),
  };
  return [{ line, endpoint }];
}

function optionNotes(options: string, line: number): ForeignNote[] {
  const remedy = 'the addresses of dials and the idle time of UDP are through and network.udpTimeoutSeconds';
  return [leftOut(line, options, remedy)];
}

/** `80`, `http` or `53/udp`. */
function portOf(text = ''): { readonly port: number; readonly isUdp: boolean } | undefined {
  const [, name = '', protocol = 'tcp'] = /^([A-Za-z0-9-]+)(?:\/(tcp|udp))?$/.exec(text) ?? [];
  const port = /^[0-9]{1,5}$/.test(name) ? Number(name) : ownValue(portNames, name);
  return port === undefined ? undefined : { port, isUdp: protocol === 'udp' };
}

/** Allow rules become the allowed sources; what only deny rules say has no counterpart. */
function withSources(
  { line, endpoint }: ForeignEndpoint,
  rules: readonly Rule[],
  notes: ForeignNote[],
): ForeignEndpoint {
  const ranges = rules.filter(({ isAllow }) => isAllow).flatMap((rule) => rangeOf(rule, notes));
  for (const rule of rules.filter(({ isAllow }) => !isAllow))
    notes.push(leftOut(rule.line, 'deny', 'list the clients to serve in allowedSources', rule.pattern));
  if (ranges.length === 0) return { line, endpoint };
  return { line, endpoint: { ...endpoint, network: { ...endpoint.network, allowed_sources: ranges } } };
}

/** `10.0.*.*` as `10.0.0.0/16`. */
function rangeOf({ line, pattern }: Rule, notes: ForeignNote[]): string[] {
  if (/[/:]/.test(pattern) || isIPv4(pattern)) return [pattern];
  const parts = pattern.split('.');
  const fixed = parts.findIndex((part) => part === '*');
  const known = fixed < 0 ? parts : parts.slice(0, fixed);
  const isRange =
    known.every((part) => /^[0-9]{1,3}$/.test(part)) &&
    parts.slice(known.length).every((part) => part === '*');
  if (isRange && fixed >= 0) {
    const octets = [...known, '0', '0', '0', '0'].slice(0, 4);
    return [`${octets.join('.')}/${String(8 * known.length)}`];
  }
  notes.push({
    ...{ severity: 'error', line, word: 'allow', what: 'is no range of addresses', value: pattern },
    remedy: 'write whole parts, as in 10.0.*.*',
  });
  return [];
}

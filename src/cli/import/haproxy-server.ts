import type { RealmHealthCheck, RealmNetwork } from '../../config/realm-document.ts';
import {
  leftOut,
  ordered,
  scaled,
  secondsIn,
  undialable,
  type ForeignNote,
  type ForeignRemote,
} from './foreign.ts';
import { parametersIn, variableFault, type Directive } from './haproxy-words.ts';

/** A server of a section. */
export type HaproxyServer = ForeignRemote & { readonly source?: string };

/** The servers of a section, and what their parameters ask for. */
export type HaproxyPool = {
  /** Those without `backup` first. */
  readonly servers: readonly HaproxyServer[];
  /** Whether the order decides, as there are backups. */
  readonly hasBackups: boolean;
  readonly check?: RealmHealthCheck;
  readonly network: RealmNetwork;
  /** TLS towards the servers, in Realm's words. */
  readonly transport?: string;
};

type Parameters = ReadonlyMap<string, string>;
type Read = {
  readonly line: number;
  readonly name: string;
  readonly address: string;
  readonly parameters: Parameters;
};

const withValue = [
  'weight',
  'inter',
  'fastinter',
  'downinter',
  'fall',
  'rise',
  'source',
  'maxconn',
  'maxqueue',
  'id',
  'cookie',
  'slowstart',
  'sni',
  'verify',
  'ca-file',
  'crt',
  'alpn',
  'port',
  'addr',
  'resolvers',
  'resolve-prefer',
  'init-addr',
  'observe',
  'on-error',
  'on-marked-down',
  'on-marked-up',
  'error-limit',
  'minconn',
  'check-sni',
  'proto',
  'pool-max-conn',
  'track',
  'tcp-ut',
  'verifyhost',
  'usesrc',
];
const known = [
  'check',
  'no-check',
  'backup',
  'disabled',
  'enabled',
  'weight',
  'inter',
  'fall',
  'rise',
  'source',
  'send-proxy',
  'send-proxy-v2',
  'ssl',
  'sni',
  'verify',
  'ca-file',
  'alpn',
];
const silent = [
  'id',
  'fastinter',
  'downinter',
  'init-addr',
  'resolvers',
  'resolve-prefer',
  'maxqueue',
  'pool-max-conn',
  'tfo',
  'usesrc',
];

type PoolContext = { readonly defaults: readonly Directive[]; readonly notes: ForeignNote[] };

/** The servers in `directives`, which begin with the word `server`; `defaults` apply to all of them. */
export function serverPool(directives: readonly Directive[], { defaults, notes }: PoolContext): HaproxyPool {
  const common = parametersIn(
    defaults.flatMap(({ words }) => words.slice(1)),
    withValue,
  );
  const all = directives.map(({ line, words }): Read => {
    const [, name = '', address = '', ...rest] = words;
    return { line, name, address, parameters: withDefaults(common, parametersIn(rest, withValue)) };
  });
  const used = all.filter(({ parameters }) => !parameters.has('disabled'));
  for (const read of used) noteUnknown(read, notes);
  const backups = used.filter(({ parameters }) => parameters.has('backup'));
  const mains = used.filter((read) => !backups.includes(read));
  const { chosen, isOrdered } = ordered(mains, backups);
  if (!isOrdered) notes.push(...backups.map(({ line, name }) => leftOut(line, 'backup', oneBefore, name)));
  notes.push(...differences(chosen));
  return {
    servers: scaled(chosen.flatMap((read) => serverOf(read, notes))),
    hasBackups: isOrdered,
    ...(chosen[0] === undefined ? { network: {} } : ofFirst(chosen[0])),
  };
}

/** `no-check` takes back the `check` of a default. */
function withDefaults(common: Parameters, own: Parameters): Parameters {
  const all = new Map([...common, ...own]);
  if (own.has('no-check')) all.delete('check');
  return all;
}

const oneBefore = 'Failover has one remote before the others: use it, or relay to the servers alone';

/** What a RealmRelay has of all remotes of an endpoint, by the parameters of the first server. */
function ofFirst(first: Read): Pick<HaproxyPool, 'check' | 'network' | 'transport'> {
  const { parameters } = first;
  return {
    network: proxyKeys(parameters),
    ...(parameters.has('check') && { check: checkOf(parameters) }),
    ...(parameters.has('ssl') && { transport: transportOf(first) }),
  };
}

/** A warning for each server whose settings are not those of the first one. */
function differences([first, ...others]: readonly Read[]): ForeignNote[] {
  if (first === undefined) return [];
  const shared = sharedOf(first);
  return others.flatMap((other) => {
    const own = sharedOf(other);
    const words = shared.filter(([, value], index) => value !== own[index]?.[1]).map(([word]) => word);
    if (words.length === 0) return [];
    const what = `has other settings than the first server (${words.join(', ')}), which are those of all remotes`;
    const remedy = 'check whether that is right, or use an endpoint for each';
    return [{ severity: 'warning', line: other.line, word: `server ${other.name}`, what, remedy }];
  });
}

/** The settings that all remotes of an endpoint share, by the words of HAProxy. */
function sharedOf({ parameters }: Read): readonly (readonly [word: string, value: string])[] {
  const tls = ['sni', 'verify', 'ca-file', 'alpn'].map((word) => parameters.get(word));
  return [
    ['check', parameters.has('check') ? JSON.stringify(checkOf(parameters)) : ''],
    ['send-proxy', JSON.stringify(proxyKeys(parameters))],
    ['ssl', parameters.has('ssl') ? JSON.stringify(tls) : ''],
  ];
}

function noteUnknown({ line, parameters }: Read, notes: ForeignNote[]): void {
  for (const [word, value] of parameters)
    if (!known.includes(word) && !silent.includes(word))
      notes.push(leftOut(line, `server ${word}`, undefined, value || undefined));
}

/** Without a port, the server gets the one that the client connected to. */
function serverOf({ line, address, parameters }: Read, notes: ForeignNote[]): HaproxyServer[] {
  const bare = address.replace(/^ipv[46]@/, '');
  const [, bracketed, plain = '', port] = /^(?:\[([^\]]*)\]|(.*?))(?::([0-9]{1,5}))?$/.exec(bare) ?? [];
  const host = bracketed ?? plain;
  const variable = variableFault(line, 'server', address);
  if (variable !== undefined) {
    notes.push(variable);
    return [];
  }
  if (host === '' || /^[^:]*@|^\/|:[+-]/.test(bare)) {
    notes.push(undialable(line, 'server', address));
    return [];
  }
  const [weight, source] = [parameters.get('weight'), parameters.get('source')];
  return [
    {
      host,
      ...(port !== undefined && { port: Number(port) }),
      ...(weight !== undefined && { weight: Number(weight) }),
      ...(source !== undefined && { source }),
    },
  ];
}

/** The defaults of HAProxy are 2 s, 3 and 2. */
function checkOf(parameters: Parameters): RealmHealthCheck {
  const number = (name: string, usual: number): number => Number(parameters.get(name) ?? usual);
  return {
    interval: Math.max(1, secondsIn(parameters.get('inter') ?? '2s', 'ms') ?? 2),
    unhealthy_threshold: number('fall', 3),
    healthy_threshold: number('rise', 2),
  };
}

function proxyKeys(parameters: Parameters): RealmNetwork {
  if (parameters.has('send-proxy-v2')) return { send_proxy: true, send_proxy_version: 2 };
  return parameters.has('send-proxy') ? { send_proxy: true, send_proxy_version: 1 } : {};
}

function transportOf({ address, parameters }: Read): string {
  const name = /^str\((.*)\)$/.exec(parameters.get('sni') ?? '')?.[1] ?? address.replace(/:[0-9]+$/, '');
  const [alpn, authorities] = [parameters.get('alpn'), parameters.get('ca-file')];
  const isUnchecked = parameters.get('verify') === 'none';
  return [
    'tls',
    `sni=${name}`,
    ...(isUnchecked ? ['insecure'] : authorities === undefined ? [] : [`ca=${authorities}`]),
    ...(alpn === undefined ? [] : [`alpn=${alpn}`]),
  ].join(';');
}

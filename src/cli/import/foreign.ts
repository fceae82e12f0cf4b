import type { RealmEndpoint } from '../../config/realm-document.ts';
import { ownValue } from '../../lib/record.ts';

/** An endpoint, and where the other program's file describes it. */
export type ForeignEndpoint = {
  /** Counted from 1. */
  readonly line: number;
  readonly endpoint: RealmEndpoint;
};

/** What a RealmRelay cannot express, or what is wrong, in a line of the other program's file. */
export type ForeignNote = {
  readonly severity: 'error' | 'warning';
  /** Counted from 1. */
  readonly line: number;
  /** The word that the line is about. */
  readonly word: string;
  readonly what: string;
  readonly value?: string;
  readonly remedy: string;
};

/** The configuration of another program, in terms of ours. */
export type Foreign = {
  readonly endpoints: readonly ForeignEndpoint[];
  readonly notes: readonly ForeignNote[];
};

/** Reads the configuration of another program. */
export type ForeignReader = (text: string) => Foreign;

/** A warning that `word` is left out. */
export function leftOut(
  line: number,
  word: string,
  remedy = 'check whether you need it',
  value?: string,
): ForeignNote {
  const what = 'has no counterpart in a RealmRelay and is left out';
  return { severity: 'warning', line, word, what, remedy, ...(value !== undefined && { value }) };
}

/** An error about the value of `word`. */
export function fault(
  place: Pick<ForeignNote, 'line' | 'word' | 'value'>,
  what: string,
  remedy: string,
): ForeignNote {
  return { severity: 'error', ...place, what, remedy };
}

/** An error about what should be an address to dial. */
export function undialable(
  line: number,
  word: string,
  value: string,
  remedy = 'write HOST:PORT',
): ForeignNote {
  return fault({ line, word, value }, 'is no address that a RealmRelay can dial', remedy);
}

/** The host and the ports in `HOST:PORT`, `[HOST]:PORT` or `:FIRST-LAST`; the host is '' if there is none. */
export function hostAndPorts(text: string): { readonly host: string; readonly ports: Ports } | undefined {
  const [, bracketed, plain = '', port = ''] = /^(?:\[([^\]]*)\]|([^:[\]$/]*)):([0-9-]+)$/.exec(text) ?? [];
  const ports = portsIn(port);
  return ports === undefined ? undefined : { host: bracketed ?? plain, ports };
}

/** The remote in `HOST:PORT`. */
export function remoteIn(text: string): ForeignRemote | undefined {
  const { host = '', ports } = hostAndPorts(text) ?? {};
  return host === '' || ports === undefined || ports.first !== ports.last
    ? undefined
    : { host, port: ports.first };
}

/** Who serves: `mains`, followed by `backups` if there is one main, as Failover has it. */
export function ordered<T>(
  mains: readonly T[],
  backups: readonly T[],
): { readonly chosen: readonly T[]; readonly isOrdered: boolean } {
  const isOrdered = backups.length > 0 && mains.length === 1;
  return { chosen: isOrdered ? [...mains, ...backups] : mains, isOrdered };
}

/** A host and a port as Realm writes them. */
export function hostPort(host: string, port: number | string): string {
  return host.includes(':') && !host.startsWith('[')
    ? `[${host}]:${String(port)}`
    : `${host}:${String(port)}`;
}

/** A first and a last port, the same if there is one. */
export type Ports = { readonly first: number; readonly last: number };

/** The ports in `443` or `8000-8010`; undefined if it is something else. */
export function portsIn(text: string): Ports | undefined {
  const [, first, last = first] = /^([0-9]{1,5})(?:-([0-9]{1,5}))?$/.exec(text) ?? [];
  return first === undefined ? undefined : { first: Number(first), last: Number(last) };
}

/** The keys of an endpoint that listens on `host` and `ports`. */
export function listenKeys(
  host: string,
  { first, last }: Ports,
): Pick<RealmEndpoint, 'listen' | 'listen_end_port'> {
  return { listen: hostPort(host, first), ...(last > first && { listen_end_port: last }) };
}

/** A remote; without a port, that of the client's connection. */
export type ForeignRemote = {
  readonly host: string;
  readonly port?: number;
  readonly weight?: number;
};

/** The keys of the remotes of an endpoint that listens on `ports`. A remote with a port serves the whole range with it. */
export function remoteKeys(
  remotes: readonly ForeignRemote[],
  ports: Ports,
): Pick<RealmEndpoint, 'remote' | 'extra_remotes' | 'fixed_remote_ports'> {
  const [remote = '', ...more] = remotes.map(({ host, port = ports.first }) => hostPort(host, port));
  const fixed = remotes.map(({ port }) => port !== undefined);
  const isFixed = ports.last > ports.first && fixed.includes(true);
  return {
    remote,
    ...(more.length > 0 && { extra_remotes: more }),
    ...(isFixed && { fixed_remote_ports: fixed }),
  };
}

/** How remotes are chosen: a strategy of Realm, or ours. */
export type Strategy = 'off' | 'roundrobin' | 'iphash' | 'leastconnections';

/** The keys that choose between `remotes` by `strategy`. */
export function balanceKeys(
  strategy: Strategy,
  remotes: readonly ForeignRemote[],
): Pick<RealmEndpoint, 'balance' | 'strategy'> {
  if (remotes.length < 2) return {};
  if (strategy === 'off') return { balance: 'off' };
  const weights = remotes.map(({ weight = 1 }) => String(weight)).join(', ');
  const base = strategy === 'leastconnections' ? 'roundrobin' : strategy;
  return { balance: `${base}: ${weights}`, ...(strategy === 'leastconnections' && { strategy }) };
}

/** Weights of at most 255, in the same proportion. */
export function scaled(remotes: readonly ForeignRemote[]): readonly ForeignRemote[] {
  const most = Math.max(...remotes.map(({ weight = 1 }) => weight));
  if (most <= 255) return remotes;
  return remotes.map((remote) => {
    const weight = remote.weight ?? 1;
    return { ...remote, weight: weight === 0 ? 0 : Math.max(1, Math.round((weight * 255) / most)) };
  });
}

const units: Readonly<Record<string, number>> = { us: 1e-6, ms: 1e-3, s: 1, m: 60, h: 3600, d: 86_400 };

/** Whole seconds in `text`, such as `5s`, `1m30s` or `500ms`, rounded up; a number alone has `unit`. */
export function secondsIn(text: string, unit: string): number | undefined {
  const parts = [...text.matchAll(/([0-9]+)(us|ms|[smhd])?/g)];
  if (text === '' || parts.map(([part]) => part).join('') !== text) return undefined;
  return Math.ceil(
    parts.reduce((sum, [, digits, name = unit]) => sum + Number(digits) * (ownValue(units, name) ?? 1), 0),
  );
}

import { parseArgs } from 'node:util';
import { isFault, parseSocketAddress, type SocketAddress } from '../config/address.ts';
import { RealmError } from '../lib/errors.ts';
import { logLevels, type LogLevel } from '../lib/log-level.ts';
import { nearest } from '../lib/problem.ts';

/** The command line is not valid. */
export class UsageError extends RealmError {
  readonly code = 'REALM_USAGE';
}

/** What the command line asks for. */
export type RelayFlags = {
  readonly action: 'run' | 'help' | 'version';
  readonly config?: string;
  readonly listen?: string;
  readonly remote?: string;
  readonly udp: boolean;
  readonly ipv6: boolean;
  readonly logLevel?: LogLevel;
  /** Where the admin server listens; absent = nowhere. */
  readonly admin?: SocketAddress;
  /** Whether it was asked for, so that failing there ends the program. */
  readonly isAdminGiven: boolean;
  readonly drainSeconds: number;
  /** Flags of Realm that do nothing, as written. */
  readonly withoutEffect: readonly string[];
};

const defaultAdmin = '127.0.0.1:9180';
const defaultDrainSeconds = 30;
const mostDrainSeconds = 86_400;

type Flag = { readonly short?: string; readonly value?: string; readonly help: string };

const supported: Readonly<Record<string, Flag>> = {
  config: {
    short: 'c',
    value: 'PATH',
    help: 'configuration in TOML or JSON, a file or a folder of them; followed, a change is taken at once',
  },
  listen: { short: 'l', value: 'ADDR', help: 'listen address: IPV4:PORT, [IPV6]:PORT or HOST:PORT' },
  remote: { short: 'r', value: 'ADDR', help: 'remote address' },
  udp: { short: 'u', help: 'relay UDP, too' },
  ipv6: { short: '6', help: 'IPv6 listen sockets take IPv6 only (ipv6_only)' },
  'log-level': { value: 'LEVEL', help: `${logLevels.join(', ')}; default info` },
  admin: { value: 'ADDR', help: `/livez /readyz /status /metrics; default ${defaultAdmin}; "off" = none` },
  'drain-seconds': {
    value: 'S',
    help: `how long connections may go on after SIGTERM; default ${String(defaultDrainSeconds)}`,
  },
  help: { short: 'h', help: 'print this' },
  version: { short: 'v', help: 'print the version' },
};

/** Flags of Realm that do nothing there or cannot do anything here. */
const withoutEffect: Readonly<Record<string, Flag>> = {
  tfo: { short: 'f', help: '' },
  splice: { short: 'z', help: '' },
  'pipe-page': { short: 'p', value: 'N', help: '' },
};

/** Flags of Realm that this relay does not do. */
const unsupported: Readonly<Record<string, Flag>> = {
  daemon: { short: 'd', help: '' },
  mtcp: { short: 'm', help: '' },
  ntcp: { short: 't', help: '' },
  through: { short: 'x', value: 'ADDR', help: '' },
  interface: { short: 'i', value: 'DEV', help: '' },
  'listen-interface': { short: 'e', value: 'DEV', help: '' },
  'listen-transport': { short: 'a', value: 'OPTS', help: '' },
  'remote-transport': { short: 'b', value: 'OPTS', help: '' },
  nofile: { short: 'n', value: 'N', help: '' },
  'pre-conn-hook': { short: 'j', value: 'PATH', help: '' },
  ...Object.fromEntries(
    ['log-output', 'dns-mode', 'dns-protocol', 'dns-min-ttl', 'dns-max-ttl', 'dns-cache-size', 'dns-servers']
      .concat(['send-proxy', 'accept-proxy', 'send-proxy-version', 'accept-proxy-timeout'])
      .concat(['tcp-timeout', 'udp-timeout', 'tcp-keepalive', 'tcp-keepalive-probe'])
      .map((name) => [name, { value: 'V', help: '' }]),
  ),
};

const known: Readonly<Record<string, Flag>> = { ...supported, ...withoutEffect, ...unsupported };

/**
 * Parses the arguments after `relay`.
 *
 * @throws UsageError
 */
export function parseFlags(argv: readonly string[]): RelayFlags {
  const given = givenFlags(argv);
  if (argv.length === 0) throw new UsageError('nothing to do: give -c FILE, or -l ADDR and -r ADDR');
  if (given.has('help')) return { ...settings(given), action: 'help' };
  if (given.has('version')) return { ...settings(given), action: 'version' };
  if (!given.has('config')) requirePair(given);
  return { ...settings(given), action: 'run' };
}

/**
 * What `argv` says by flags of ours, where another source stands above Realm's command line; the rest of it,
 * wrong as it may be, is not looked at.
 */
export function ownFlags(argv: readonly string[]): RelayFlags {
  const own = ['admin', 'drain-seconds'];
  const kept = argv.flatMap((word, index) => {
    const [name = '', value] = word.startsWith('--') ? word.slice(2).split(/=(.*)/s, 2) : [];
    if (!own.includes(name)) return [];
    return value === undefined ? [word, argv[index + 1] ?? ''] : [word];
  });
  return { ...settings(givenFlags(kept)), action: 'run' };
}

type Given = ReadonlyMap<string, string>;

function givenFlags(argv: readonly string[]): Given {
  const options = Object.fromEntries(
    Object.entries(known).map(([name, { short, value }]) => [
      name,
      { type: value === undefined ? ('boolean' as const) : ('string' as const), ...(short && { short }) },
    ]),
  );
  const { tokens } = parseArgs({
    args: [...argv],
    options,
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const given = new Map<string, string>();
  for (const token of tokens) {
    if (token.kind === 'positional') throw new UsageError(`"${token.value}": is not expected here`);
    if (token.kind !== 'option') continue;
    if (given.has(token.name)) throw new UsageError(`${token.rawName}: is given twice`);
    given.set(token.name, checkedValue(token.name, token.rawName, token.value));
  }
  return given;
}

function checkedValue(name: string, rawName: string, value: string | undefined): string {
  const flag = known[name];
  if (flag === undefined) throw new UsageError(`${rawName}: there is no such flag${suggestion(name)}`);
  if (Object.hasOwn(unsupported, name)) {
    throw new UsageError(`${rawName}: is a flag of Realm that this relay does not support: remove it`);
  }
  const written = rawName.startsWith('--') ? value : value?.replace(/^=/, ''); // -l=ADDR
  if (flag.value === undefined) return withoutValue(rawName, written);
  if (written === undefined || written === '')
    throw new UsageError(`${rawName}: needs a value: ${flag.value}`);
  return written;
}

function withoutValue(rawName: string, written: string | undefined): string {
  if (written !== undefined) throw new UsageError(`${rawName}: takes no value`);
  return '';
}

function suggestion(name: string): string {
  const near = nearest(name, Object.keys(supported));
  return near === undefined ? ': see --help' : `: did you mean --${near}?`;
}

function requirePair(given: Given): void {
  if (!given.has('listen')) throw new UsageError('-l is missing: give -c FILE, or -l ADDR and -r ADDR');
  if (!given.has('remote')) throw new UsageError('-r is missing: give -c FILE, or -l ADDR and -r ADDR');
}

function settings(given: Given): Omit<RelayFlags, 'action'> {
  const [config, listen, remote] = ['config', 'listen', 'remote'].map((name) => given.get(name));
  const [logLevel, admin] = [level(given.get('log-level')), adminAddress(given.get('admin') ?? defaultAdmin)];
  return {
    ...(config !== undefined && { config }),
    ...(listen !== undefined && { listen }),
    ...(remote !== undefined && { remote }),
    udp: given.has('udp'),
    ipv6: given.has('ipv6'),
    ...(logLevel !== undefined && { logLevel }),
    ...(admin !== undefined && { admin }),
    isAdminGiven: given.has('admin'),
    drainSeconds: drainSeconds(given.get('drain-seconds')),
    withoutEffect: Object.keys(withoutEffect).filter((name) => given.has(name)),
  };
}

function level(word: string | undefined): LogLevel | undefined {
  if (word === undefined) return undefined;
  const found = logLevels.find((each) => each === word.toLowerCase());
  if (found === undefined) throw new UsageError(`--log-level: "${word}" is none of ${logLevels.join(', ')}`);
  return found;
}

function adminAddress(word: string): SocketAddress | undefined {
  if (word === 'off') return undefined;
  const parsed = parseSocketAddress(word);
  if (isFault(parsed)) throw new UsageError(`--admin: "${word}" ${parsed.what}: ${parsed.remedy}, or off`);
  return parsed;
}

function drainSeconds(word: string | undefined): number {
  if (word === undefined) return defaultDrainSeconds;
  const seconds = /^[0-9]{1,5}$/.test(word) ? Number(word) : Infinity;
  if (seconds <= mostDrainSeconds) return seconds;
  throw new UsageError(
    `--drain-seconds: "${word}" is not a whole number from 0 to ${String(mostDrainSeconds)}`,
  );
}

/** What `--help` prints. */
export function helpText(): string {
  const lines = Object.entries(supported).map(([name, { short, value, help }]) => {
    const words = `${short === undefined ? '   ' : `-${short},`} --${name}${value === undefined ? '' : ` ${value}`}`;
    return `  ${words.padEnd(24)} ${help}`;
  });
  return [
    'Usage: realm-operator relay -c FILE',
    '       realm-operator relay -l ADDR -r ADDR [-u] [-6]',
    '',
    'Relays TCP and UDP. Accepts the configuration and the command line of Realm.',
    '',
    ...lines,
    '',
  ].join('\n');
}

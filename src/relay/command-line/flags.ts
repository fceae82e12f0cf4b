import { isFault, parseSocketAddress, type SocketAddress } from '../../config/address.ts';
import type { Overrides } from '../../config/parsed-config.ts';
import {
  defaultAdmin,
  defaultDrainSeconds,
  endpointKeys,
  idleFlagTable,
  impossibleFlagTable,
  ownFlagTable,
} from './flag-table.ts';
import { givenFlags, type GivenFlags } from './given-flags.ts';
import { overrides } from './override-flags.ts';
import { UsageError } from '../../lib/usage-error.ts';

/** What the command line asks for. */
export type RelayFlags = {
  readonly action: 'run' | 'check' | 'help' | 'version';
  /** File or folder; where it is given, `endpoint` has no effect. */
  readonly config?: string;
  /** The one endpoint that the flags describe, in Realm's keys. */
  readonly endpoint: Readonly<Record<string, string>>;
  /** What the flags say in place of the file. */
  readonly overrides: Overrides;
  /** Where the admin server listens; absent = nowhere. */
  readonly admin?: SocketAddress;
  /** Whether it was asked for, so that failing there ends the program. */
  readonly isAdminGiven: boolean;
  readonly drainSeconds: number;
  /** How long it still accepts after the signal. */
  readonly drainLagSeconds: number;
  /** Processes that serve clients; 1 = this one. */
  readonly workers: number;
  /** The limit of open files to set. */
  readonly nofile?: number;
  readonly isDaemon: boolean;
  /** Flags of Realm that do nothing here, as written. */
  readonly withoutEffect: readonly string[];
};

const mostWorkers = 64;
const mostDrainSeconds = 86_400;
const mostFiles = 1_073_741_816; // Linux: the most that fs.nr_open can be

/**
 * Parses the arguments after `relay`.
 *
 * @throws UsageError
 */
export function parseFlags(argv: readonly string[]): RelayFlags {
  const given = givenFlags(argv);
  if (argv.length === 0) throw new UsageError('nothing to do: give -c PATH, or -l ADDR and -r ADDR');
  if (given.has('help')) return { ...nothing, action: 'help' };
  if (given.has('version')) return { ...nothing, action: 'version' };
  refuseImpossible(given);
  if (!given.has('config')) requirePair(given);
  return settings(given);
}

/**
 * What `argv` says by flags of ours, where another source stands above Realm's command line; the rest of it,
 * wrong as it may be, is not looked at.
 */
export function ownFlags(argv: readonly string[]): RelayFlags {
  const kept = argv.flatMap((word, index) => {
    const [name = '', value] = word.startsWith('--') ? word.slice(2).split(/=(.*)/s, 2) : [];
    if (!Object.hasOwn(ownFlagTable, name)) return [];
    const takesNext = value === undefined && ownFlagTable[name]?.value !== undefined;
    return takesNext ? [word, argv[index + 1] ?? ''] : [word];
  });
  return settings(givenFlags(kept));
}

const nothing: Omit<RelayFlags, 'action'> = {
  endpoint: {},
  overrides: {},
  isAdminGiven: false,
  drainSeconds: defaultDrainSeconds,
  drainLagSeconds: 0,
  workers: 1,
  isDaemon: false,
  withoutEffect: [],
};

/** With -c, Realm does not look at those that describe an endpoint. */
function refuseImpossible(given: GivenFlags): void {
  const told = Object.entries(impossibleFlagTable).filter(
    ([name]) => given.has(name) && !(given.has('config') && name.endsWith('interface')),
  );
  if (told.length === 0) return;
  throw new UsageError(told.map(([name, { help }]) => `--${name}: ${help}: remove it`).join('\n'));
}

function requirePair(given: GivenFlags): void {
  if (!given.has('listen')) throw new UsageError('-l is missing: give -c PATH, or -l ADDR and -r ADDR');
  if (!given.has('remote')) throw new UsageError('-r is missing: give -c PATH, or -l ADDR and -r ADDR');
}

function settings(given: GivenFlags): RelayFlags {
  const [config, nofile] = [given.get('config'), given.get('nofile')];
  const admin = adminAddress(given.get('admin') ?? defaultAdmin);
  return {
    action: given.has('check') ? 'check' : 'run',
    ...(config !== undefined && { config }),
    endpoint: endpointOf(given),
    overrides: overrides(given),
    ...(admin !== undefined && { admin }),
    isAdminGiven: given.has('admin'),
    drainSeconds: wholeNumber('drain-seconds', given, mostDrainSeconds) ?? defaultDrainSeconds,
    drainLagSeconds: wholeNumber('drain-lag-seconds', given, mostDrainSeconds) ?? 0,
    workers: wholeNumber('workers', given, mostWorkers, 1) ?? 1,
    ...(nofile !== undefined && { nofile: wholeNumber('nofile', given, mostFiles) ?? 0 }),
    isDaemon: given.has('daemon'),
    withoutEffect: withoutEffect(given),
  };
}

function endpointOf(given: GivenFlags): Record<string, string> {
  const entries = Object.entries(endpointKeys).map(([name, key]) => [key, given.get(name)] as const);
  return Object.fromEntries(entries.filter((entry): entry is [string, string] => entry[1] !== undefined));
}

function withoutEffect(given: GivenFlags): string[] {
  const ofEndpoint = [...Object.keys(endpointKeys), 'interface', 'listen-interface'];
  const names = [...Object.keys(idleFlagTable), ...(given.has('config') ? ofEndpoint : [])];
  return names.filter((name) => given.has(name));
}

function adminAddress(word: string): SocketAddress | undefined {
  if (word === 'off') return undefined;
  const parsed = parseSocketAddress(word);
  if (isFault(parsed)) throw new UsageError(`--admin: "${word}" ${parsed.what}: ${parsed.remedy}, or off`);
  return parsed;
}

function wholeNumber(name: string, given: GivenFlags, most: number, least = 0): number | undefined {
  const word = given.get(name);
  if (word === undefined) return undefined;
  const number = /^[0-9]{1,10}$/.test(word) ? Number(word) : Infinity;
  if (number >= least && number <= most) return number;
  throw new UsageError(`--${name}: "${word}" is not a whole number from ${String(least)} to ${String(most)}`);
}

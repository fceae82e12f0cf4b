/**
 * The command line of the relay: Realm's flags, and a few of our own.
 *
 * Vocabulary: a *given flag* is one as it was written (`GivenFlags`); *overrides* are flags that take precedence over
 * keys of the file; an *idle* flag is accepted and does nothing; an *impossible* one is refused, since Node.js cannot
 * do what it requests. The *initial configuration* is the one that the relay starts with, from a file, from flags or
 * from the environment.
 *
 * Guarantee: a flag of Realm means the same here, or it is refused or reported as without effect.
 */
import { isFault, parseSocketAddress, type SocketAddress } from '../../config/address.ts';
import { parseEngineChoice, type EngineChoice } from '../../config/engine.ts';
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
import { maxWorkers } from '../../lib/max-workers.ts';
import type { Problem } from '../../lib/problem.ts';
import { ownValue } from '../../lib/record.ts';
import { parseUnsigned } from '../../lib/unsigned.ts';

/** What the command line requests. */
export type RelayFlags = {
  readonly action: 'run' | 'check' | 'help' | 'version';
  /** File or folder; if given, `endpoint` has no effect. */
  readonly config?: string;
  /** The one endpoint that the flags describe, by Realm's keys. */
  readonly endpoint: Readonly<Record<string, string>>;
  /** Take precedence over the file. */
  readonly overrides: Overrides;
  /** Where the admin server listens; absent = there is none. */
  readonly admin?: SocketAddress;
  /** Whether `--admin` was given: then the program ends if it cannot listen there. */
  readonly isAdminGiven: boolean;
  /** How long connections may go on after the signal. */
  readonly drainSeconds: number;
  /** How long the relay still accepts after the signal. */
  readonly drainLagSeconds: number;
  /** What moves the bytes. */
  readonly engine: EngineChoice;
  /** Number of threads that serve clients. */
  readonly workers: number;
  /** The limit of open files to set. */
  readonly nofile?: number;
  readonly isDaemon: boolean;
  /** Flags of Realm that do nothing here, as written. */
  readonly withoutEffect: readonly string[];
  /** Values of `overrides` that are odd. */
  readonly warnings: readonly Problem[];
};

const maxDrainSeconds = 86_400;
const maxFiles = 1_073_741_816; // Linux: the maximum of fs.nr_open

/**
 * Parses the arguments after `relay`.
 *
 * @throws UsageError
 */
export function parseFlags(argv: readonly string[]): RelayFlags {
  const given = givenFlags(argv);
  if (argv.length === 0) throw new UsageError('no configuration: give -c PATH, or -l ADDR and -r ADDR');
  if (given.has('help')) return { ...noFlags, action: 'help' };
  if (given.has('version')) return { ...noFlags, action: 'version' };
  refuseImpossible(given);
  if (!given.has('config')) requirePair(given);
  return settings(given);
}

/**
 * The flags of our own in `argv`, for a relay whose configuration overrides Realm's command line. All other words are
 * ignored, valid or not.
 *
 * @throws UsageError
 */
export function ownFlags(argv: readonly string[]): RelayFlags {
  const kept = argv.flatMap((word, index) => {
    const [name = '', value] = word.startsWith('--') ? word.slice(2).split(/=(.*)/s, 2) : [];
    const flag = ownValue(ownFlagTable, name);
    if (flag === undefined) return [];
    const takesNext = value === undefined && flag.value !== undefined;
    return takesNext ? [word, argv[index + 1] ?? ''] : [word];
  });
  return settings(givenFlags(kept));
}

const noFlags: RelayFlags = {
  action: 'run',
  endpoint: {},
  overrides: {},
  isAdminGiven: false,
  drainSeconds: defaultDrainSeconds,
  drainLagSeconds: 0,
  engine: 'auto',
  workers: 1,
  isDaemon: false,
  withoutEffect: [],
  warnings: [],
};

function refuseImpossible(given: GivenFlags): void {
  const impossible = Object.entries(impossibleFlagTable).filter(([name]) => given.has(name));
  if (impossible.length === 0) return;
  throw new UsageError(impossible.map(([name, { help }]) => `--${name}: ${help}: remove it`).join('\n'));
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
    ...overrides(given),
    ...(admin !== undefined && { admin }),
    isAdminGiven: given.has('admin'),
    drainSeconds: wholeNumber('drain-seconds', given, maxDrainSeconds) ?? defaultDrainSeconds,
    drainLagSeconds: wholeNumber('drain-lag-seconds', given, maxDrainSeconds) ?? 0,
    engine: engineOf(given),
    workers: wholeNumber('workers', given, maxWorkers, 1) ?? 1,
    ...(nofile !== undefined && { nofile: wholeNumber('nofile', given, maxFiles) ?? 0 }),
    isDaemon: given.has('daemon'),
    withoutEffect: withoutEffect(given),
  };
}

function endpointOf(given: GivenFlags): Record<string, string> {
  const entries = Object.entries(endpointKeys).map(([name, key]) => [key, given.get(name)] as const);
  return Object.fromEntries(entries.filter((entry): entry is [string, string] => entry[1] !== undefined));
}

function withoutEffect(given: GivenFlags): string[] {
  const names = [...Object.keys(idleFlagTable), ...(given.has('config') ? Object.keys(endpointKeys) : [])];
  return names.filter((name) => given.has(name));
}

function adminAddress(word: string): SocketAddress | undefined {
  if (word === 'off') return undefined;
  const parsed = parseSocketAddress(word);
  if (isFault(parsed)) throw new UsageError(`--admin: "${word}" ${parsed.what}: ${parsed.remedy}, or off`);
  return parsed;
}

function engineOf(given: GivenFlags): EngineChoice {
  const choice = parseEngineChoice(given.get('engine') ?? 'auto');
  if (typeof choice === 'string') return choice;
  throw new UsageError(`--engine: ${choice.fault}`);
}

function wholeNumber(name: string, given: GivenFlags, max: number, min = 0): number | undefined {
  const word = given.get(name);
  if (word === undefined) return undefined;
  const number = parseUnsigned(word) ?? Infinity;
  if (number >= min && number <= max) return number;
  throw new UsageError(`--${name}: "${word}" is not a whole number from ${String(min)} to ${String(max)}`);
}

/**
 * The relay program, from the command line to the exit code.
 *
 * In order: read the command line and the configuration, start the data plane and the admin server, serve and follow
 * the configuration file, drain at a signal. Everything else is in the rooms of this folder and in `server.ts`.
 */
import type { DestinationStream } from 'pino';
import { environmentName } from '../config/environment-config.ts';
import { parseRelayConfig, type ParsedConfig } from '../config/parsed-config.ts';
import { socketAddressText } from '../config/address.ts';
import { systemClock } from '../lib/clock.ts';
import { asError, RealmError } from '../lib/errors.ts';
import { setOpenFilesLimit } from '../lib/open-files.ts';
import { present } from '../lib/record.ts';
import { stopSignals, type SignalSource } from '../lib/shutdown.ts';
import { UsageError } from '../lib/usage-error.ts';
import { setRelayHeapFlag } from '../lib/v8-flags.ts';
import { version } from '../lib/version.ts';
import { startHealthServer, type HealthServer } from '../telemetry/health-server.ts';
import { createLogger, reopenLogAtHangup, type Logger } from '../telemetry/logger.ts';
import type { LogOutput } from '../telemetry/log-output.ts';
import { openedLogOutput } from '../telemetry/log-outputs.ts';
import { adminRoutes } from './admin/routes.ts';
import { logWarnings, type WarningContext } from './advice.ts';
import { checkConfig } from './check.ts';
import { isInBackground, startInBackground } from './command-line/daemonize.ts';
import { helpText } from './command-line/flag-table.ts';
import { ownFlags, parseFlags, type RelayFlags } from './command-line/flags.ts';
import {
  commandLineConfig,
  variableConfig,
  type ConfigFile,
  type InitialConfig,
} from './command-line/initial-config.ts';
import { ConfigFollower } from './config-file/config-follower.ts';
import type { ConfigSource } from './config-file/read-config.ts';
import { NameResolver } from './dns/resolver.ts';
import { identityOf } from './identity.ts';
import { adminSocket, inheritance, serveToTheEnd } from './handover/handover.ts';
import type { InheritedSockets } from './listener/inherited-sockets.ts';
import { chooseEngine } from './net/engine.ts';
import { KernelUnavailableError } from './kernel/errno.ts';
import { setFileLimit } from './kernel/file-limit.ts';
import { returnMemory } from './limits/memory-return.ts';
import { RelayServer } from './server.ts';
import { RecentErrors } from './stats/recent-errors.ts';
import { TransportFilesError } from './transport/transports.ts';
import { startWorkers } from './workers/start-workers.ts';

/** The streams, signals and environment that the program uses. */
export type RelayIo = {
  readonly stdout: { write: (text: string) => unknown };
  readonly stderr: { write: (text: string) => unknown };
  /** Emits SIGTERM, SIGINT and SIGHUP: `process`. */
  readonly signals: SignalSource;
  /** The environment; empty by default. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Where log lines go; by default where the configuration sends them. */
  readonly log?: DestinationStream;
};

/**
 * Runs the relay program until a signal stops it.
 *
 * @param argv  the arguments after `relay`.
 * @returns the exit code: 0 after a clean stop, 1 if nothing can run, 2 for a wrong command line. With `-c` a bind that
 *   fails is retried forever, since the port may become free; with `-l` and `-r` the program ends with 1 if its first
 *   attempt binds nothing.
 */
export async function runRelay(argv: readonly string[], io: RelayIo): Promise<number> {
  try {
    return await readCommandLine(argv, io);
  } catch (error) {
    if (!(error instanceof RealmError)) throw error;
    const cause = error.cause === undefined ? '' : asError(error.cause).message;
    const isWhole = error.message.includes('\n') || error.message.includes(cause);
    io.stderr.write(isWhole ? `${error.message}\n` : `${error.message} (${cause})\n`);
    if (!(error instanceof UsageError)) return 1;
    if (argv.length === 0) io.stderr.write(helpText());
    return 2;
  }
}

async function readCommandLine(argv: readonly string[], io: RelayIo): Promise<number> {
  if (argv[0] === 'convert') return convertFile(argv.slice(1), io);
  const variable = variableConfig(io.env?.[environmentName], (line) => {
    io.stderr.write(`${line}\n`);
  });
  if (variable !== undefined) return start(ownFlags(argv), variable, io);
  const flags = parseFlags(argv);
  if (flags.action === 'help') return print(io, helpText());
  if (flags.action === 'version') return print(io, `realm-operator ${version}\n`);
  return start(flags, await commandLineConfig(flags), io);
}

function print(io: RelayIo, text: string): number {
  io.stdout.write(text);
  return 0;
}

async function convertFile(argv: readonly string[], io: RelayIo): Promise<number> {
  const { convert } = await import('./command-line/convert.ts'); // not for a relay that serves
  await convert(argv, io.stdout);
  return 0;
}

/** Checks, daemonizes or runs, as the flags request, with a valid configuration. */
async function start(flags: RelayFlags, initial: InitialConfig, io: RelayIo): Promise<number> {
  if (initial.parsed.isLegacy) io.stderr.write('attention: you are using a legacy config file!\n'); // Realm's words
  if (flags.action === 'check') return checkConfig(flags, initial.parsed, io);
  if (flags.isDaemon && !isInBackground(io.env ?? {})) return daemonize(initial.parsed, io);
  return run(flags, initial, io);
}

/** The configuration is valid by now; a bind that fails shows only in the log of the background process. */
async function daemonize({ config }: ParsedConfig, io: RelayIo): Promise<number> {
  const pid = await startInBackground();
  const { output = 'stdout' } = config.log;
  if (['stdout', 'stderr'].includes(output))
    io.stderr.write('the log is discarded: give --log-output FILE\n');
  return print(io, `running in the background as process ${String(pid)}\n`);
}

/** Everything that a new configuration changes. */
type Configurable = WarningContext & { readonly relay: RelayServer; readonly resolver: NameResolver };

async function run(flags: RelayFlags, { parsed, file }: InitialConfig, io: RelayIo): Promise<number> {
  const output = io.log === undefined ? await openedLogOutput(parsed.config.log.output) : undefined;
  const log = createLogger(parsed.config.log.level, io.log ?? output);
  await limitOpenFiles(flags, log);
  const resolver = new NameResolver({ clock: systemClock, log });
  resolver.configure(parsed.config.dns);
  const context = {
    log,
    identity: identityOf(io.env),
    errors: new RecentErrors(systemClock),
    clock: systemClock,
    lookup: resolver.lookup,
    engine: await chooseEngine(flags.engine, log),
    retireMs: flags.drainSeconds * 1000,
  };
  const begun = await inheritance(process.env, io.signals);
  const threads = await startWorkers({ ...context, count: flags.workers }, context.engine);
  const relay = new RelayServer({
    ...context,
    ...present('threads', threads),
    inherited: begun.sockets,
    logLinesDropped: () => output?.droppedLines ?? 0,
  });
  reopenLogs(io.signals, log, output);
  const signals = stopSignals(io.signals);
  const admin = await startAdmin(flags, relay, log, begun.sockets).catch(async (error: unknown) => {
    await relay.close(); // the workers run already
    throw error;
  });
  const stopReturning = returnMemory(systemClock);
  const configHash = file?.source.hash ?? '';
  try {
    logWarnings(flags.withoutEffect, parsed, context);
    await relay.reload(parsed.config, configHash);
    reportStart(log, { version, engine: context.engine.name, admin: admin?.url ?? 'off', configHash });
    if (file === undefined && !relay.status().endpoints.some(({ ready }) => ready)) return 1;
    await serveToTheEnd({ ...context, relay, admin, signals: io.signals }, begun, {
      stop: signals,
      drainMs: () => flags.drainSeconds * 1000,
      leaving: followFile(file, flags, { ...context, relay, resolver }, io.signals),
      drain: (signal) => drain(flags, relay, log, signal),
    });
    return 0;
  } finally {
    stopReturning();
    await relay.close();
    await admin?.close();
  }
}

/** To be called once the relay serves. */
function reportStart(log: Logger, fields: object): void {
  log.info(fields, 'relay started');
  setRelayHeapFlag();
}

/** Opens log files again at SIGHUP, which is always handled, since its default action would end the relay. */
function reopenLogs(signals: SignalSource, log: Logger, output?: LogOutput): void {
  if (output === undefined) signals.on('SIGHUP', () => undefined);
  else reopenLogAtHangup(signals, output, log);
}

/** Sets the limit. @returns why that failed; undefined if it did not. */
async function openFilesFault(limit: number): Promise<string | undefined> {
  try {
    return setFileLimit(limit)?.message;
  } catch (error) {
    if (!(error instanceof KernelUnavailableError)) throw error;
    return setOpenFilesLimit(limit);
  }
}

async function limitOpenFiles({ nofile: limit }: RelayFlags, log: Logger): Promise<void> {
  if (limit === undefined) return;
  const fault = await openFilesFault(limit);
  if (fault === undefined) return;
  log.warn({ limit, problem: fault }, 'open file limit not changed, start the relay under "ulimit -n"');
}

/** If the default address is in use, e.g. by another relay, the program logs that and runs without an admin server. */
async function startAdmin(
  { admin, isAdminGiven }: RelayFlags,
  relay: RelayServer,
  log: Logger,
  inherited: InheritedSockets,
): Promise<HealthServer | undefined> {
  if (admin === undefined) return undefined;
  try {
    const address = { ...admin, ...present('fd', inherited.take(adminSocket)?.fd) };
    return await startHealthServer(address, adminRoutes(relay, systemClock), systemClock);
  } catch (error) {
    if (isAdminGiven) throw error;
    log.warn(
      { err: error, admin: socketAddressText(admin) },
      'admin server not started, set --admin to another address',
    );
    return undefined;
  }
}

/** Applies the file's changes from now on. @returns stops it; without a file it does nothing. */
function followFile(
  file: ConfigFile | undefined,
  flags: RelayFlags,
  { relay, resolver, log, identity, engine }: Configurable,
  signals: SignalSource,
): () => void {
  if (file === undefined) return () => undefined;
  const apply = async ({ texts, hash: configHash }: ConfigSource): Promise<void> => {
    const parsed = parseRelayConfig(texts, flags.overrides, file.memory);
    await relay.reload(parsed.config, configHash);
    const { dns, log: logConfig, endpoints } = parsed.config;
    resolver.configure(dns);
    log.level = logConfig.level === 'off' ? 'silent' : logConfig.level;
    logWarnings(flags.withoutEffect, parsed, { log, identity, engine });
    log.info({ configHash, endpoints: endpoints.length }, 'configuration applied');
  };
  const follower = new ConfigFollower(file.path, file.source, {
    log,
    clock: systemClock,
    signals,
    apply,
    onRejected: ({ message }) => {
      relay.reportRejected(message);
    },
    isRetryable: (error) => error instanceof TransportFilesError,
  });
  follower.start();
  return () => {
    follower.stop();
  };
}

async function drain(
  { drainSeconds, drainLagSeconds }: RelayFlags,
  relay: RelayServer,
  log: Logger,
  signal: NodeJS.Signals,
): Promise<void> {
  log.info({ signal, drainLagSeconds, drainSeconds }, 'draining');
  const drained = await relay.drain(drainSeconds * 1000, drainLagSeconds * 1000);
  log.info(drained, 'relay stopped');
}

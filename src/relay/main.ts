import type { DestinationStream } from 'pino';
import { environmentName } from '../config/environment-config.ts';
import type { LogConfig } from '../config/log-config.ts';
import { parseRelayConfig, type ParsedConfig } from '../config/parsed-config.ts';
import { socketAddressText } from '../config/address.ts';
import { systemClock } from '../lib/clock.ts';
import { asError, RealmError } from '../lib/errors.ts';
import { problemText } from '../lib/problem.ts';
import { present } from '../lib/record.ts';
import { stopSignals, type SignalSource, type StopSignals } from '../lib/shutdown.ts';
import { version } from '../lib/version.ts';
import { startHealthServer, type HealthServer } from '../telemetry/health-server.ts';
import { createLogger, logDestination, type Logger } from '../telemetry/logger.ts';
import { adminRoutes } from './admin/routes.ts';
import { isInBackground, startInBackground } from './command-line/daemonize.ts';
import { ConfigWatcher } from './config-file/config-watcher.ts';
import type { ConfigSource } from './config-file/read-config.ts';
import { commandLineConfig, variableConfig, type FirstConfig } from './command-line/initial-config.ts';
import { helpText } from './command-line/flag-table.ts';
import { ownFlags, parseFlags, type RelayFlags } from './command-line/flags.ts';
import { NameResolver } from './dns/resolver.ts';
import { RelayServer } from './server.ts';
import { RecentErrors } from './stats/recent-errors.ts';
import { tcpStack } from './net/tcp-stack.ts';
import { TransportFilesError, transportProblems } from './transport/transports.ts';
import { setOpenFilesLimit } from '../lib/open-files.ts';
import { UsageError } from '../lib/usage-error.ts';
import { isWorker } from './workers/environment.ts';
import type { WorkerPool, WorkerPoolOptions } from './workers/worker-pool.ts';

/** The outside of the program. */
export type RelayIo = {
  readonly stdout: { write: (text: string) => unknown };
  readonly stderr: { write: (text: string) => unknown };
  /** Emits SIGTERM, SIGINT and SIGHUP: `process`. */
  readonly signals: SignalSource;
  /** The environment; empty unless told. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Where log lines go; standard output unless told. */
  readonly log?: DestinationStream;
};

/**
 * The relay program, until a signal ends it.
 *
 * @param argv  the arguments after `relay`.
 * @returns the exit code: 0 after a stop in good order, 1 where nothing could be run, 2 for a wrong command
 *   line. With `-c` a bind that fails is retried for ever, since a Pod's place may become free; with `-l`
 *   and `-r` the program ends with 1 when its first try binds nothing.
 */
export async function runRelay(argv: readonly string[], io: RelayIo): Promise<number> {
  try {
    return await act(argv, io);
  } catch (error) {
    if (!(error instanceof RealmError)) throw error;
    const cause =
      error.cause === undefined || error.message.includes('\n') ? '' : ` (${asError(error.cause).message})`;
    io.stderr.write(`${error.message}${cause}\n`);
    if (!(error instanceof UsageError)) return 1;
    if (argv.length === 0) io.stderr.write(helpText());
    return 2;
  }
}

async function act(argv: readonly string[], io: RelayIo): Promise<number> {
  if (isWorker(io.env ?? {})) return (await import('./workers/entry.ts')).runWorker();
  if (argv[0] === 'convert') return convertTo(argv.slice(1), io);
  const variable = variableConfig(io.env?.[environmentName], (line) => {
    io.stderr.write(`${line}\n`);
  });
  if (variable !== undefined) return begin(ownFlags(argv), variable, io);
  const flags = parseFlags(argv);
  if (flags.action === 'help') return answer(io, helpText());
  if (flags.action === 'version') return answer(io, `realm-operator ${version}\n`);
  return begin(flags, await commandLineConfig(flags), io);
}

/** Does what the flags ask for with a valid configuration. */
async function begin(flags: RelayFlags, first: FirstConfig, io: RelayIo): Promise<number> {
  if (first.parsed.isLegacy) io.stderr.write('attention: you are using a legacy config file!\n'); // Realm's words
  if (flags.action === 'check') return tellChecked(first.parsed, io);
  if (flags.isDaemon && !isInBackground(io.env ?? {})) return goToBackground(first.parsed, io);
  return run(flags, first, io);
}

function answer(io: RelayIo, text: string): number {
  io.stdout.write(text);
  return 0;
}

async function convertTo(argv: readonly string[], io: RelayIo): Promise<number> {
  const { convert } = await import('./command-line/convert.ts'); // not for a relay that runs
  await convert(argv, io.stdout);
  return 0;
}

async function tellChecked({ config, warnings }: ParsedConfig, io: RelayIo): Promise<number> {
  for (const warning of warnings) io.stderr.write(`${warning.source}: warning: ${problemText(warning)}\n`);
  const log = createLogger('off', { write: () => undefined });
  const problems = await transportProblems(config.endpoints, { clock: systemClock, log });
  for (const problem of problems) io.stderr.write(`${problem}\n`);
  if (problems.length > 0) return 1;
  return answer(io, `valid, ${String(config.endpoints.length)} endpoints\n`);
}

/** What is wrong with the configuration was told before; what cannot be bound, only the log tells. */
async function goToBackground({ config }: ParsedConfig, io: RelayIo): Promise<number> {
  const pid = await startInBackground();
  const { output = 'stdout' } = config.log;
  if (['stdout', 'stderr'].includes(output))
    io.stderr.write('its log goes nowhere: give --log-output FILE\n');
  return answer(io, `runs in the background as process ${String(pid)}\n`);
}

async function run(flags: RelayFlags, first: FirstConfig, io: RelayIo): Promise<number> {
  const { parsed, file } = first;
  const log = createLogger(parsed.config.log.level, io.log ?? logDestination(parsed.config.log.output));
  if (flags.nofile !== undefined) await limitOpenFiles(flags.nofile, log);
  const names = new NameResolver(systemClock);
  names.configure(parsed.config.dns);
  const { lookup } = names;
  const parts = {
    log,
    errors: new RecentErrors(systemClock),
    clock: systemClock,
    lookup,
    tcp: tcpStack(log),
    retireMs: flags.drainSeconds * 1000,
  };
  const dataPlane = await workers(flags, parts, parsed.config.log);
  const relay = new RelayServer({ ...parts, ...present('dataPlane', dataPlane) });
  const signals = stopSignals(io.signals);
  const admin = await startAdmin(flags, relay, log).catch(async (error: unknown) => {
    await relay.close(); // workers run already
    throw error;
  });
  const stayAlive = setInterval(() => undefined, 2 ** 31 - 1); // even while nothing is bound
  const configHash = file?.source.hash ?? '';
  try {
    tell(flags, parsed, log);
    await relay.reload(parsed.config, configHash);
    log.info({ version, admin: admin?.url ?? 'off', configHash }, 'relay started');
    if (file === undefined && !relay.status().endpoints.some(({ ready }) => ready)) return 1;
    return await serve(flags, { relay, log, signals, names, file, source: io.signals });
  } finally {
    clearInterval(stayAlive);
    signals.release();
    await relay.close();
    await admin?.close();
  }
}

/** @returns undefined where this process serves by itself. */
async function workers(
  { workers: count }: RelayFlags,
  parts: Pick<WorkerPoolOptions, 'log' | 'errors' | 'clock' | 'lookup' | 'tcp' | 'retireMs'>,
  logConfig: LogConfig,
): Promise<WorkerPool | undefined> {
  if (count === 1) return undefined;
  const { startWorkerPool } = await import('./workers/entry.ts'); // costs memory, so for this alone
  return startWorkerPool({ ...parts, count }, logConfig);
}

async function limitOpenFiles(limit: number, log: Logger): Promise<void> {
  const fault = await setOpenFilesLimit(limit);
  if (fault === undefined) return;
  log.warn({ limit, problem: fault }, 'the limit of open files stays as it was, start it under "ulimit -n"');
}

/** Where the default address is taken, another relay has it: that is told, and nothing is served. */
async function startAdmin(
  flags: RelayFlags,
  relay: RelayServer,
  log: Logger,
): Promise<HealthServer | undefined> {
  if (flags.admin === undefined) return undefined;
  try {
    return await startHealthServer(
      flags.admin,
      adminRoutes(
        () => relay.status(),
        () => relay.refresh(),
      ),
    );
  } catch (error) {
    if (flags.isAdminGiven) throw error;
    log.warn(
      { err: error, admin: socketAddressText(flags.admin) },
      'no admin server, use --admin for another address',
    );
    return undefined;
  }
}

function tell(flags: RelayFlags, { warnings }: ParsedConfig, log: Logger): void {
  for (const flag of flags.withoutEffect) log.warn({ flag: `--${flag}` }, 'this flag has no effect');
  for (const warning of warnings) {
    log.warn({ source: warning.source, problem: problemText(warning) }, 'configuration warning');
  }
}

type Running = {
  readonly relay: RelayServer;
  readonly log: Logger;
  readonly signals: StopSignals;
  readonly names: NameResolver;
  readonly file: FirstConfig['file'];
  readonly source: SignalSource;
};

/** Follows the file until a signal comes, then drains; a second signal ends it at once. */
async function serve(flags: RelayFlags, running: Running): Promise<number> {
  const { relay, log, signals } = running;
  const file = follow(flags, running);
  const signal = await signals.first;
  file?.stop();
  const { drainSeconds, drainLagSeconds } = flags;
  log.info({ signal, drainLagSeconds, drainSeconds }, 'draining');
  const drained = relay.drain(drainSeconds * 1000, drainLagSeconds * 1000);
  void signals.second.then(() => relay.close());
  log.info(await drained, 'relay stopped');
  return 0;
}

function follow(flags: RelayFlags, { relay, log, names, file, source }: Running): ConfigWatcher | undefined {
  if (file === undefined) return undefined;
  let told = '';
  const onError = (err: Error): void => {
    relay.reportRejected(err.message);
    if (err instanceof TransportFilesError) {
      followed.redeliver(); // its files may come yet
      if (err.message === told) return;
    }
    told = err.message;
    log.error({ err, source: file.path }, 'configuration not taken, the one before runs on');
  };
  const take = async ({ texts, hash: configHash }: ConfigSource): Promise<void> => {
    try {
      const parsed = parseRelayConfig(texts, flags.overrides);
      await relay.reload(parsed.config, configHash);
      told = '';
      names.configure(parsed.config.dns);
      log.level = parsed.config.log.level === 'off' ? 'silent' : parsed.config.log.level;
      tell(flags, parsed, log);
      log.info({ configHash, endpoints: parsed.config.endpoints.length }, 'configuration taken');
    } catch (error) {
      onError(asError(error));
    }
  };
  const onChange = (source: ConfigSource): void => void take(source);
  const followed = new ConfigWatcher(file.path, file.source, systemClock, { onChange, onError });
  followed.start();
  source.on('SIGHUP', () => {
    followed.reread();
  });
  return followed;
}

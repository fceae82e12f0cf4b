import { relayConfig } from '../config/parsed-config.ts';
import { systemClock } from '../lib/clock.ts';
import { FolderWatch } from '../lib/folder-watch.ts';
import { present } from '../lib/record.ts';
import { stopSignals } from '../lib/shutdown.ts';
import { adminRoutes } from '../relay/admin/routes.ts';
import { adminSocket, inheritance, serveToTheEnd } from '../relay/handover/handover.ts';
import { chooseEngine } from '../relay/net/engine.ts';
import { RelayServer, ReloadError, type RelayOptions } from '../relay/server.ts';
import { TransportFilesError } from '../relay/transport/transports.ts';
import { startWorkers } from '../relay/workers/start-workers.ts';
import type { HealthServer } from '../telemetry/health-server.ts';
import { createLogger, reopenLogAtHangup, type Logger } from '../telemetry/logger.ts';
import { openedLogOutput } from '../telemetry/log-outputs.ts';
import { startAdminServer } from './admin-server.ts';
import type { Command, Io } from './command.ts';
import { standaloneOptions } from './command-options.ts';
import { adminAddress, filePath } from './flag-values.ts';
import { parseOptions } from './options.ts';
import { HostManifests } from './host-manifests.ts';
import { hostDocument, hostDrainSeconds, hostWorkers } from './host-relay.ts';
import { ManifestReader } from './manifest-files.ts';
import { anyNumber, findingFormat, manifestPaths } from './manifest-flags.ts';
import { screen } from './standalone-screen.ts';

/** `realm-operator standalone`: runs manifests on this machine. */
export const standalone: Command = async (argv, io) => {
  const { reader, readsInput, admin: address, logOutput, ...shown } = flags(argv, io);
  const output = await openedLogOutput(logOutput);
  const log = createLogger('info', output);
  const begun = await inheritance(process.env, io.signals);
  const manifests = new HostManifests(reader, io, { admin: address, ...shown });
  if (!(await manifests.read())) return 1;
  const relay = await relayFor(manifests, {
    log,
    inherited: begun.sockets,
    logLinesDropped: () => output.droppedLines,
  });
  const host = new Host(relay, manifests, { reader, log, io, isQuiet: shown.isQuiet });
  const signals = stopSignals(io.signals);
  reopenLogAtHangup(io.signals, output, log);
  let adminServer: HealthServer | undefined;
  try {
    // Before any endpoint is bound: if it cannot start, no client must have been accepted.
    const fd = begun.sockets.take(adminSocket)?.fd;
    adminServer =
      address &&
      (await startAdminServer({ ...address, ...present('fd', fd) }, adminRoutes(relay, systemClock)));
    if (!(await host.run())) return 1;
    host.show(adminServer?.url);
    if (!relay.status().endpoints.some(({ ready }) => ready)) return 1;
    const stopFollowing = await host.follow(adminServer?.url);
    const serving = {
      relay,
      admin: adminServer,
      log,
      clock: systemClock,
      signals: io.signals,
      ...present(
        'obstacle',
        readsInput ? 'a new process cannot read standard input again: give files' : undefined,
      ),
    };
    await serveToTheEnd(serving, begun, {
      stop: signals,
      drainMs: () => host.drainSeconds * 1000,
      leaving: stopFollowing,
      drain: () => host.drain(),
    });
    return 0;
  } finally {
    await relay.close();
    await adminServer?.close();
  }
};

/** A relay with as many threads as the manifests ask for now. */
async function relayFor(
  { relays = [] }: HostManifests,
  options: Pick<RelayOptions, 'log' | 'inherited' | 'logLinesDropped'>,
): Promise<RelayServer> {
  const { log } = options;
  const clock = systemClock;
  const engine = await chooseEngine('auto', log);
  const threads = await startWorkers({ log, clock, count: hostWorkers(relays) }, engine);
  const identity = { relay: '', pod: '', madeOf: 'RealmRelay' } as const;
  return new RelayServer({ ...options, clock, engine, ...present('threads', threads), identity });
}

function flags(argv: readonly string[], io: Io) {
  const { values, positionals } = parseOptions(argv, standaloneOptions, anyNumber);
  const manifests = manifestPaths(values, positionals);
  return {
    reader: new ManifestReader(manifests, io.stdin),
    readsInput: manifests.paths.includes('-'),
    format: findingFormat(values),
    admin: adminAddress(values.admin),
    logOutput: filePath('--log-output', values['log-output']),
    isQuiet: values.quiet,
  };
}

type HostOptions = {
  readonly reader: ManifestReader;
  readonly log: Logger;
  readonly io: Io;
  /** Whether nothing is shown but problems. */
  readonly isQuiet: boolean;
};

/** Keeps a relay in step with the manifests under some paths. */
class Host {
  readonly #relay: RelayServer;
  readonly #manifests: HostManifests;
  readonly #options: HostOptions;
  /** Which files are missing, so that the same manifests have to be tried again; '' if none are. */
  #missing = '';
  /** How long connections are drained at shutdown. */
  drainSeconds = 0;

  constructor(relay: RelayServer, manifests: HostManifests, options: HostOptions) {
    this.#relay = relay;
    this.#manifests = manifests;
    this.#options = options;
  }

  /** Shows what runs. */
  show(adminUrl: string | undefined): void {
    this.#show(screen(this.#relay.status(), adminUrl));
  }

  /** Runs the manifests again whenever something of them may have changed, and at SIGHUP. @returns the end of that. */
  async follow(adminUrl: string | undefined): Promise<() => void> {
    const { reader, io } = this.#options;
    const watch = new FolderWatch(await reader.folders(), systemClock, async () => {
      await this.#runChanged(adminUrl);
      watch.watch(await reader.folders());
    });
    watch.start();
    io.signals.on('SIGHUP', () => {
      watch.check();
    });
    return () => {
      watch.stop();
    };
  }

  /** Ends connections within `spec.drainSeconds`. */
  async drain(): Promise<void> {
    this.#show('Draining connections; press Ctrl-C again to end them at once.\n');
    await this.#relay.drain(this.drainSeconds * 1000);
  }

  async #runChanged(adminUrl: string | undefined): Promise<void> {
    const manifests = this.#manifests;
    const [before, isRetry] = [manifests.last, this.#missing !== ''];
    const isValid = await manifests.read();
    if (manifests.last === before && !isRetry) return;
    if (!isValid) this.#refuse('the manifests are not valid');
    const isRunning = isValid && (await this.run());
    if (manifests.last === before && !isRunning) return;
    if (isRunning) {
      this.#show('\n');
      this.show(adminUrl);
    } else this.#options.io.stderr.write('The change was rejected; the previous manifests keep running.\n');
  }

  /** Runs the manifests that were read. @returns false if they are not valid, or a file that they name is missing. */
  async run(): Promise<boolean> {
    const { relays } = this.#manifests;
    const { log, io } = this.#options;
    if (relays === undefined) return false;
    const { config } = relayConfig(hostDocument(relays), 'the manifests');
    try {
      await this.#relay.reload(config);
    } catch (error) {
      if (!(error instanceof ReloadError || error instanceof TransportFilesError)) throw error;
      if (error.message !== this.#missing) io.stderr.write(`${error.message}\n`);
      this.#missing = error instanceof TransportFilesError ? error.message : '';
      return false;
    }
    this.#missing = '';
    log.level = config.log.level === 'off' ? 'silent' : config.log.level;
    this.drainSeconds = hostDrainSeconds(relays);
    return true;
  }

  #show(text: string): void {
    const { io, isQuiet } = this.#options;
    if (!isQuiet) io.stdout.write(text);
  }

  #refuse(problem: string): void {
    this.#missing = '';
    this.#relay.reportRejected(problem);
  }
}

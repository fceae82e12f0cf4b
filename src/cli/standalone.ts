import type { Relay as ParsedRelay } from '../api/relay.ts';
import type { SocketAddress } from '../config/address.ts';
import { configFindings, type ConfigFindings } from '../config/config-findings.ts';
import { relayConfig } from '../config/parsed-config.ts';
import { systemClock } from '../lib/clock.ts';
import { machineNames } from '../lib/own-addresses.ts';
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
import { counts, findingsText, skippedText, type FindingFormat } from './findings.ts';
import { adminAddress, filePath } from './flag-values.ts';
import { parseOptions } from './options.ts';
import { hostDocument, hostDrainSeconds, hostSecrets, hostWorkers, runsOnHost } from './host-relay.ts';
import { ManifestReader } from './manifest-files.ts';
import { anyNumber, findingFormat, manifestPaths } from './manifest-flags.ts';
import { manifestsOf } from './manifests.ts';
import { screen } from './standalone-screen.ts';

/** `realm-operator standalone`: runs manifests on this machine. */
export const standalone: Command = async (argv, io) => {
  const { reader, readsInput, admin: address, logOutput, ...shown } = flags(argv, io);
  const output = await openedLogOutput(logOutput);
  const log = createLogger('info', output);
  const begun = await inheritance(process.env, io.signals);
  const relay = new RelayServer({
    log,
    inherited: begun.sockets,
    clock: systemClock,
    ...(await movers(reader, log)),
    identity: { relay: '', pod: '', madeOf: 'RealmRelay' },
    logLinesDropped: () => output.droppedLines,
  });
  const host = new Host(relay, log, io, { reader, admin: address, ...shown });
  const signals = stopSignals(io.signals);
  reopenLogAtHangup(io.signals, output, log);
  let adminServer: HealthServer | undefined;
  try {
    if (!(await host.read())) return 1;
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

/** What moves the bytes: the engine, and as many threads as the manifests ask for at the start. */
async function movers(
  reader: ManifestReader,
  log: Logger,
): Promise<Pick<RelayOptions, 'engine' | 'threads'>> {
  const engine = await chooseEngine('auto', log);
  const count = hostWorkers(manifestsOf(await reader.files(), { isHost: true }).relays);
  return { engine, ...present('threads', await startWorkers({ log, clock: systemClock, count }, engine)) };
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
  /** Where the admin server listens; undefined = there is none. */
  readonly admin: SocketAddress | undefined;
  /** How problems of manifests are printed. */
  readonly format: FindingFormat;
  /** Whether nothing is shown but problems. */
  readonly isQuiet: boolean;
};

/** Keeps a relay in step with the manifests under some paths. */
class Host {
  readonly #relay: RelayServer;
  readonly #log: Logger;
  readonly #io: Io;
  readonly #options: HostOptions;
  /** The relays that were read last; undefined if their manifests are not valid. */
  #relays: readonly ParsedRelay[] | undefined;
  /** What was read last, to detect changes. */
  #last = '';
  /** Which files are missing, so that the same manifests have to be tried again; '' if none are. */
  #missing = '';
  /** How long connections are drained at shutdown. */
  drainSeconds = 0;

  constructor(relay: RelayServer, log: Logger, io: Io, options: HostOptions) {
    this.#relay = relay;
    this.#log = log;
    this.#io = io;
    this.#options = options;
  }

  /** Shows what runs. */
  show(adminUrl: string | undefined): void {
    if (!this.#options.isQuiet) this.#io.stdout.write(screen(this.#relay.status(), adminUrl));
  }

  /** Runs the manifests again whenever something of them may have changed, and at SIGHUP. @returns the end of that. */
  async follow(adminUrl: string | undefined): Promise<() => void> {
    const { reader } = this.#options;
    const watch = new FolderWatch(await reader.folders(), systemClock, async () => {
      await this.#runChanged(adminUrl);
      watch.watch(await reader.folders());
    });
    watch.start();
    this.#io.signals.on('SIGHUP', () => {
      watch.check();
    });
    return () => {
      watch.stop();
    };
  }

  /** Ends connections within `spec.drainSeconds`. */
  async drain(): Promise<void> {
    const note = 'Draining connections; press Ctrl-C again to end them at once.\n';
    if (!this.#options.isQuiet) this.#io.stdout.write(note);
    await this.#relay.drain(this.drainSeconds * 1000);
  }

  async #runChanged(adminUrl: string | undefined): Promise<void> {
    const [before, isRetry] = [this.#last, this.#missing !== ''];
    const isValid = await this.read();
    if (this.#last === before && !isRetry) return;
    const isRunning = isValid && (await this.run());
    if (this.#last === before && !isRunning) return;
    if (isRunning && !this.#options.isQuiet) this.#io.stdout.write('\n');
    if (isRunning) this.show(adminUrl);
    else this.#io.stderr.write('The change was rejected; the previous manifests keep running.\n');
  }

  /**
   * Reads the manifests, and prints what is wrong with them unless that was printed before.
   *
   * @returns whether they are valid.
   */
  async read(): Promise<boolean> {
    const { reader, format, isQuiet } = this.#options;
    const { placed: all, findings, skipped } = manifestsOf(await reader.files(), { isHost: true });
    const placed = all.filter(({ relay }) => runsOnHost(relay));
    const relays = placed.map(({ relay }) => relay);
    const { problems, warnings } = this.#found(relays);
    const report = { findings: [...findings, ...hostSecrets(placed)], relays: all.length, skipped };
    const lines = [...problems, ...warnings];
    const read = JSON.stringify([relays, report, lines]);
    if (read !== this.#last) {
      if (report.findings.length > 0) this.#io.stderr.write(findingsText(report, format));
      this.#print(lines);
      if (skipped > 0 && !isQuiet && format === 'text') this.#print([skippedText(skipped)]);
    }
    const isValid = problems.length === 0 && counts(report).errors === 0;
    if (!isValid && read !== this.#last) this.#refuse('the manifests are not valid');
    this.#last = read;
    this.#relays = isValid ? relays : undefined;
    return isValid;
  }

  /** What the endpoints of all `relays` cannot do beside each other: here they share a machine. */
  #found(relays: readonly ParsedRelay[]): ConfigFindings {
    const distinct = new Map(
      relays.map((each) => [`${each.metadata.namespace}/${each.metadata.name}`, each]),
    );
    const { config } = relayConfig(hostDocument([...distinct.values()]), 'the manifests');
    const surroundings = {
      own: machineNames(),
      admin: this.#options.admin,
      writtenAs: 'RealmRelay',
    } as const;
    return configFindings(config.endpoints, surroundings);
  }

  #print(lines: readonly string[]): void {
    for (const line of lines) this.#io.stderr.write(`${line}\n`);
  }

  /** Runs the manifests that were read. @returns false if they are not valid, or a file that they name is missing. */
  async run(): Promise<boolean> {
    const relays = this.#relays;
    if (relays === undefined) return false;
    const { config } = relayConfig(hostDocument(relays), 'the manifests');
    try {
      await this.#relay.reload(config);
    } catch (error) {
      if (!(error instanceof ReloadError || error instanceof TransportFilesError)) throw error;
      if (error.message !== this.#missing) this.#print([error.message]);
      this.#missing = error instanceof TransportFilesError ? error.message : '';
      return false;
    }
    this.#missing = '';
    this.#log.level = config.log.level === 'off' ? 'silent' : config.log.level;
    this.drainSeconds = hostDrainSeconds(relays);
    return true;
  }

  #refuse(problem: string): void {
    this.#missing = '';
    this.#relay.reportRejected(problem);
  }
}

import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Relay as ParsedRelay } from '../api/relay.ts';
import { adminPort } from '../api/schema/realm-relay.ts';
import type { SocketAddress } from '../config/address.ts';
import { configFindings, type ConfigFindings } from '../config/config-findings.ts';
import { relayConfig } from '../config/parsed-config.ts';
import { systemClock } from '../lib/clock.ts';
import { machineNames } from '../lib/own-addresses.ts';
import { FolderWatch } from '../lib/folder-watch.ts';
import { coalesced } from '../lib/coalesced.ts';
import { present } from '../lib/record.ts';
import { stopSignals } from '../lib/shutdown.ts';
import { adminRoutes } from '../relay/admin/routes.ts';
import { adminSocket, inheritance, serveToTheEnd } from '../relay/handover/handover.ts';
import { chooseEngine } from '../relay/net/engine.ts';
import { RelayServer, ReloadError } from '../relay/server.ts';
import { TransportFilesError } from '../relay/transport/transports.ts';
import { startHealthServer, type HealthServer } from '../telemetry/health-server.ts';
import { createLogger, reopenLogAtHangup, type Logger } from '../telemetry/logger.ts';
import { openedLogOutput } from '../telemetry/log-outputs.ts';
import type { Command, Io } from './command.ts';
import { adminAddress, filePath } from './flag-values.ts';
import { parseOptions } from './options.ts';
import { UsageError } from '../lib/usage-error.ts';
import { hostDocument, hostDrainSeconds, hostSecrets, runningRelays } from './host-relay.ts';
import { findingText, readManifests } from './manifests.ts';
import { screen } from './standalone-screen.ts';

const defaultAdmin = `127.0.0.1:${String(adminPort)}`;

export const usage = `Usage: realm-operator standalone -f PATH… [options]

Runs RealmRelay manifests on this machine, without a cluster, and applies changes of the files.

  -f, --filename PATH  a file or a folder (its .yaml, .yml and .json files); may be repeated
      --admin ADDRESS  where /livez, /readyz, /status and /metrics are served, or off (default ${defaultAdmin})
      --log-output FILE  stdout, stderr or a file, which SIGHUP opens again for its rotation (default stderr)

Standard output shows what runs. A change that is not valid is reported and has no effect.
SIGHUP reads the manifests at once. SIGUSR2 hands the ports to a new process of the installed version, without a lost connection.
Ctrl-C drains connections for spec.drainSeconds; pressing it again ends them at once.
Exit code: 0 success, 1 the manifests are not valid at the start or no endpoint could be bound, 2 wrong usage.
`;

/** `realm-operator standalone`: runs manifests on this machine. */
export const standalone: Command = async (argv, io) => {
  const { paths, admin: address, logOutput } = options(argv);
  const output = await openedLogOutput(logOutput);
  const log = createLogger('info', output);
  const { sockets: inherited, serves } = await inheritance(process.env, io.signals);
  const relay = new RelayServer({
    log,
    inherited,
    clock: systemClock,
    engine: await chooseEngine('auto', log),
    identity: { relay: '', pod: '', madeOf: 'RealmRelay' },
    logLinesDropped: () => output.droppedLines,
  });
  const host = new Host(relay, log, io, { paths, admin: address });
  const signals = stopSignals(io.signals);
  reopenLogAtHangup(io.signals, output, log);
  let adminServer: HealthServer | undefined;
  try {
    if (!(await host.readAndRun())) return 1;
    const routes = adminRoutes(relay, systemClock);
    const fd = inherited.take(adminSocket)?.fd;
    adminServer =
      address && (await startHealthServer({ ...address, ...present('fd', fd) }, routes, systemClock));
    io.stdout.write(screen(relay.status(), adminServer?.url));
    if (!relay.status().endpoints.some(({ ready }) => ready)) return 1;
    const follow = coalesced(() => host.follow(adminServer?.url));
    const watch = new FolderWatch(await folders(paths), systemClock, () => void follow());
    watch.start();
    io.signals.on('SIGHUP', () => void follow());
    const serving = { relay, admin: adminServer, log, clock: systemClock, signals: io.signals };
    await serveToTheEnd(serving, serves, {
      stop: signals,
      drainMs: () => host.drainSeconds * 1000,
      leaving: () => {
        watch.stop();
      },
      drain: async () => {
        io.stdout.write('Draining connections; press Ctrl-C again to end them at once.\n');
        await relay.drain(host.drainSeconds * 1000);
      },
    });
    return 0;
  } finally {
    await relay.close();
    await adminServer?.close();
  }
};

function options(argv: readonly string[]): HostOptions & { readonly logOutput: string } {
  const { values } = parseOptions(argv, {
    filename: { type: 'string', short: 'f', multiple: true, default: [] },
    admin: { type: 'string', default: defaultAdmin },
    'log-output': { type: 'string', default: 'stderr' },
  });
  const { filename: paths, admin, 'log-output': logOutput } = values;
  if (paths.length === 0 || paths.includes('-')) throw new UsageError('give the manifests with -f PATH');
  return { paths, admin: adminAddress(admin), logOutput: filePath('--log-output', logOutput) };
}

type HostOptions = {
  /** Of files and folders with manifests. */
  readonly paths: readonly string[];
  /** Where the admin server listens; undefined = there is none. */
  readonly admin: SocketAddress | undefined;
};

/** Keeps a relay in step with the manifests under some paths. */
class Host {
  readonly #relay: RelayServer;
  readonly #log: Logger;
  readonly #io: Io;
  readonly #paths: readonly string[];
  readonly #admin: SocketAddress | undefined;
  /** What was read last, to detect changes. */
  #last = '';
  /** Which files are missing, so that the same manifests have to be tried again; '' if none are. */
  #missing = '';
  /** How long connections are drained at shutdown. */
  drainSeconds = 0;

  constructor(relay: RelayServer, log: Logger, io: Io, { paths, admin }: HostOptions) {
    this.#relay = relay;
    this.#log = log;
    this.#io = io;
    this.#paths = paths;
    this.#admin = admin;
  }

  /** Runs the current manifests and shows the result if something changed. */
  async follow(adminUrl: string | undefined): Promise<void> {
    const [before, isRetry] = [this.#last, this.#missing !== ''];
    const isRunning = await this.readAndRun();
    if (this.#last === before && !(isRetry && isRunning)) return;
    if (isRunning) this.#io.stdout.write(`\n${screen(this.#relay.status(), adminUrl)}`);
    else this.#io.stderr.write('The change was rejected; the previous manifests keep running.\n');
  }

  /**
   * Runs the current manifests, unless they have not changed and no file was missing. Prints problems.
   *
   * @returns whether they are valid and run.
   */
  async readAndRun(): Promise<boolean> {
    const { relays: all, findings } = await readManifests(this.#paths, this.#io.stdin);
    const relays = runningRelays(all);
    const { problems, warnings } = this.#found(relays);
    const lines = [...findings.map(findingText), ...problems, ...warnings, ...hostSecrets(relays)];
    const read = JSON.stringify([relays, lines]);
    const isKnown = read === this.#last;
    if (isKnown && this.#missing === '') return true;
    this.#last = read;
    if (!isKnown) this.#print(lines);
    const isValid = problems.length === 0 && findings.every(({ severity }) => severity === 'warning');
    return isValid ? this.#run(relays) : this.#refuse('the manifests are not valid');
  }

  /** What the endpoints of all `relays` cannot do beside each other: here they share a machine. */
  #found(relays: readonly ParsedRelay[]): ConfigFindings {
    const distinct = new Map(
      relays.map((each) => [`${each.metadata.namespace}/${each.metadata.name}`, each]),
    );
    const { config } = relayConfig(hostDocument([...distinct.values()]), 'the manifests');
    return configFindings(config.endpoints, { own: machineNames(), admin: this.#admin });
  }

  #print(lines: readonly string[]): void {
    for (const line of lines) this.#io.stderr.write(`${line}\n`);
  }

  async #run(relays: readonly ParsedRelay[]): Promise<boolean> {
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

  #refuse(problem: string): boolean {
    this.#missing = '';
    this.#relay.reportRejected(problem);
    return false;
  }
}

/** The folders to watch for changes under `paths`. */
async function folders(paths: readonly string[]): Promise<string[]> {
  return Promise.all(paths.map(async (path) => ((await stat(path)).isDirectory() ? path : dirname(path))));
}

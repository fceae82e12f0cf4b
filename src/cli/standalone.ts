import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Relay as ParsedRelay } from '../api/relay.ts';
import { adminPort } from '../api/schema/realm-relay.ts';
import { relayConfig } from '../config/parsed-config.ts';
import { systemClock } from '../lib/clock.ts';
import { FolderWatch } from '../lib/folder-watch.ts';
import { stopSignals } from '../lib/shutdown.ts';
import { adminRoutes } from '../relay/admin/routes.ts';
import { Relay, ReloadError } from '../relay/server.ts';
import { TransportFilesError } from '../relay/transport/transports.ts';
import { startHealthServer, type HealthServer } from '../telemetry/health-server.ts';
import { createLogger, logDestination, type Logger } from '../telemetry/logger.ts';
import { adminAddress, parseOptions, type Command, type Io } from './command.ts';
import { UsageError } from '../lib/usage-error.ts';
import { hostConflicts, hostDocument, hostDrainSeconds, hostSecrets, runningRelays } from './host-relay.ts';
import { findingText, readManifests } from './manifests.ts';
import { screen } from './standalone-screen.ts';

const defaultAdmin = `127.0.0.1:${String(adminPort)}`;

export const usage = `Usage: realm-operator standalone -f PATH… [--admin ADDRESS]

Runs RealmRelay manifests on this machine, without a cluster, and follows changes of the files.

  -f, --filename PATH  a file or a folder (its .yaml, .yml and .json files); may be repeated
      --admin ADDRESS  where /livez, /readyz, /status and /metrics are served, or off (default ${defaultAdmin})

What runs is shown on standard output, the log goes to standard error. A change that is not valid is told, and changes
nothing. Ctrl-C lets connections end, for as long as spec.drainSeconds says; a second one ends at once.
Exits with 1 where the manifests are not valid at the start, or no endpoint could be bound.
`;

/** `realm-operator standalone`: manifests on this machine. */
export const standalone: Command = async (argv, io) => {
  const { filename: paths, admin } = parseOptions(argv, {
    filename: { type: 'string', short: 'f', multiple: true, default: [] },
    admin: { type: 'string', default: defaultAdmin },
  });
  if (paths.length === 0 || paths.includes('-')) throw new UsageError('name the manifests: -f PATH');
  const address = adminAddress(admin);
  const log = createLogger('info', logDestination('stderr'));
  const relay = new Relay({ log, clock: systemClock });
  const host = new Host(relay, log, io, paths);
  const signals = stopSignals(io.signals);
  let adminServer: HealthServer | undefined;
  try {
    if (!(await host.readAndRun())) return 1;
    adminServer =
      address &&
      (await startHealthServer(
        address,
        adminRoutes(() => relay.status()),
      ));
    io.stdout.write(screen(relay.status(), adminServer?.url));
    if (!relay.status().endpoints.some(({ ready }) => ready)) return 1;
    const watch = new FolderWatch(await folders(paths), systemClock, () => {
      void host.follow(adminServer?.url);
    });
    watch.start();
    await signals.first;
    watch.stop();
    io.stdout.write('Ending: connections may go on for a while; Ctrl-C again ends at once.\n');
    void signals.second.then(() => relay.close());
    await relay.drain(host.drainSeconds * 1000);
    return 0;
  } finally {
    signals.release();
    await relay.close();
    await adminServer?.close();
  }
};

/** The manifests under some paths, and the relay that runs them. */
class Host {
  readonly #relay: Relay;
  readonly #log: Logger;
  readonly #io: Io;
  readonly #paths: readonly string[];
  /** What was read last, to find out whether it changed. */
  #last = '';
  /** Which files are missing, so that what was read last is to be tried again; '' where none is. */
  #missing = '';
  #following: Promise<unknown> = Promise.resolve();
  /** How long connections may go on at the end. */
  drainSeconds = 0;

  constructor(relay: Relay, log: Logger, io: Io, paths: readonly string[]) {
    this.#relay = relay;
    this.#log = log;
    this.#io = io;
    this.#paths = paths;
  }

  /** Runs what the files say now, one call after the other; shows it where it is something new. */
  follow(adminUrl: string | undefined): Promise<unknown> {
    this.#following = this.#following.then(async () => {
      const [before, isRetry] = [this.#last, this.#missing !== ''];
      const isRunning = await this.readAndRun();
      if (this.#last === before && !(isRetry && isRunning)) return;
      if (isRunning) this.#io.stdout.write(`\n${screen(this.#relay.status(), adminUrl)}`);
      else this.#io.stderr.write('Nothing changed: what ran before runs on.\n');
    });
    return this.#following;
  }

  /**
   * Runs what the files say now, unless they say what they said before and nothing was missing for it.
   *
   * @returns whether they are valid and run; what is wrong is told.
   */
  async readAndRun(): Promise<boolean> {
    const { relays: all, findings } = await readManifests(this.#paths, this.#io.stdin);
    const relays = runningRelays(all);
    const conflicts = hostConflicts(relays).map(({ message }) => message);
    const told = [...findings.map(findingText), ...conflicts, ...hostSecrets(relays)];
    const read = JSON.stringify([relays, told]);
    const isKnown = read === this.#last;
    if (isKnown && this.#missing === '') return true;
    this.#last = read;
    if (!isKnown) this.#tell(told);
    const isValid =
      hostConflicts(relays).length === 0 && findings.every(({ severity }) => severity === 'warning');
    return isValid ? this.#run(relays) : this.#refuse('the manifests are not valid');
  }

  #tell(lines: readonly string[]): void {
    for (const line of lines) this.#io.stderr.write(`${line}\n`);
  }

  async #run(relays: readonly ParsedRelay[]): Promise<boolean> {
    const { config } = relayConfig(hostDocument(relays), 'the manifests');
    try {
      await this.#relay.reload(config);
    } catch (error) {
      if (!(error instanceof ReloadError || error instanceof TransportFilesError)) throw error;
      if (error.message !== this.#missing) this.#tell([error.message]);
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
    this.#relay.refuse(problem);
    return false;
  }
}

/** The folders whose entries decide what stands under `paths`. */
async function folders(paths: readonly string[]): Promise<string[]> {
  return Promise.all(paths.map(async (path) => ((await stat(path)).isDirectory() ? path : dirname(path))));
}

/**
 * `handover`: one process of this program gives its listening sockets to the next one, so that an upgrade refuses and
 * cuts nobody.
 *
 * Vocabulary. The *predecessor* runs, receives SIGUSR2, and starts the *successor*, which inherits its descriptors. When
 * the successor serves, the predecessor *releases* its sockets and stays until its last connection has ended.
 *
 * Guarantee: at every moment at least one process accepts on every TCP socket. A successor that fails changes nothing.
 */
import { once } from 'node:events';
import type { Clock } from '../../lib/clock.ts';
import { RealmError } from '../../lib/errors.ts';
import { reportReady } from '../../lib/service-manager.ts';
import type { SignalSource, StopSignals } from '../../lib/shutdown.ts';
import type { HealthServer } from '../../telemetry/health-server.ts';
import type { Logger } from '../../telemetry/logger.ts';
import { InheritedSockets } from '../listener/inherited-sockets.ts';
import { descriptorsOf, type OwnSocket } from './own-descriptors.ts';
import { startSuccessor, successorMarker } from './successor.ts';

/** The name of the admin server's socket among those that are handed over. */
export const adminSocket = 'admin';

/** The first descriptor of the inherited sockets: 3 is the channel to the predecessor. */
const firstSocket = 4;

/** What the predecessor sends: the names of the inherited sockets, in the order of their descriptors. */
type Inheritance = { readonly names: readonly string[] };

/** A successor cannot serve what it inherited. */
class HandoverError extends RealmError {
  readonly code = 'REALM_HANDOVER';
}

/** What a process starts with. */
export type Start = {
  readonly sockets: InheritedSockets;
  /** Whether an upgrade was requested already: it starts as soon as this process serves. */
  readonly isUpgradeRequested: () => boolean;
  /**
   * Reports to the predecessor, if there is one, and to systemd that this process serves.
   *
   * @throws HandoverError if it does not listen on a socket that it took: the predecessor then goes on.
   */
  readonly serves: (serving: Serving) => Promise<void>;
};

/**
 * What this process inherits: nothing, unless a predecessor started it.
 *
 * @param env  the process's own, from which the marker is removed, so that children of this process are no successors.
 * @param signals  a request to upgrade is remembered from now on, instead of ending the process.
 */
export async function inheritance(env: NodeJS.ProcessEnv, signals: SignalSource): Promise<Start> {
  let isRequested = false;
  signals.on('SIGUSR2', () => (isRequested = true));
  const isUpgradeRequested = (): boolean => isRequested;
  const hasPredecessor = env[successorMarker] !== undefined && process.send !== undefined;
  Reflect.deleteProperty(env, successorMarker);
  if (!hasPredecessor)
    return { sockets: new InheritedSockets(), isUpgradeRequested, serves: ({ log }) => reportToSystemd(log) };
  const [{ names }] = (await once(process, 'message')) as [Inheritance];
  const sockets = new InheritedSockets(names.map((name, index) => [name, firstSocket + index]));
  return {
    sockets,
    isUpgradeRequested,
    serves: async ({ relay, log }) => {
      const bound = new Set(relay.sockets.map(({ name }) => name)).add(adminSocket);
      const lost = [...sockets.taken].filter((name) => !bound.has(name));
      if (lost.length > 0) throw new HandoverError(`cannot listen on inherited sockets: ${lost.join(', ')}`);
      await reportToSystemd(log); // before the predecessor, the main process until now, may end
      await reportToPredecessor();
    },
  };
}

async function reportToSystemd(log: Logger): Promise<void> {
  await reportReady(process.env).catch((err: unknown) => {
    log.warn({ err }, 'systemd does not know that the relay is ready');
  });
}

async function reportToPredecessor(): Promise<void> {
  if (!process.connected) return; // it has ended
  const { promise, resolve } = Promise.withResolvers<undefined>();
  process.send?.({ serves: true }, undefined, {}, () => {
    resolve(undefined); // an error, too: it has ended
  });
  await promise;
  process.disconnect?.();
}

/** A process that serves. */
export type Serving = {
  readonly relay: {
    readonly sockets: readonly OwnSocket[];
    readonly release: () => Promise<void>;
    readonly close: () => Promise<void>;
  };
  readonly admin: HealthServer | undefined;
  readonly log: Logger;
  readonly clock: Clock;
  readonly signals: SignalSource;
  /** Why a successor could not do the same; undefined if it can. */
  readonly obstacle?: string;
};

/**
 * Starts a successor at SIGUSR2. If that fails, this process goes on, and the next signal tries again.
 *
 * @returns when a successor serves.
 */
async function handedOver(serving: Serving, { isUpgradeRequested }: Start): Promise<undefined> {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  let isBusy = false;
  const upgrade = (): void => {
    if (isBusy) return;
    isBusy = true;
    void succeed(serving).then((isDone) => {
      isBusy = isDone;
      if (isDone) resolve(undefined);
    });
  };
  serving.signals.on('SIGUSR2', upgrade);
  if (isUpgradeRequested()) upgrade();
  return promise;
}

/** @returns whether a successor serves. */
async function succeed({ relay, admin, log, clock, obstacle }: Serving): Promise<boolean> {
  const problem = obstacle ?? processObstacle();
  const own = [...relay.sockets, ...(admin === undefined ? [] : [socketOf(admin)])];
  const succession =
    problem === undefined ? await startSuccessor(await handable(own, log), clock) : { problem };
  if ('problem' in succession) {
    log.error({ problem: succession.problem }, 'upgrade failed, this process goes on');
    return false;
  }
  log.info({ successor: succession.pid }, 'another process serves new clients, finishing open connections');
  return true;
}

/** Why this process cannot have a successor; undefined if it can. */
function processObstacle(): string | undefined {
  if (process.platform !== 'linux') return 'descriptors can be found on Linux only: restart the program';
  return process.pid === 1 ? 'a container ends with its process 1: replace the container' : undefined;
}

/** The descriptors of `own`, by name; those that cannot be found are logged. */
async function handable(own: readonly OwnSocket[], log: Logger): Promise<ReadonlyMap<string, number>> {
  const descriptors = await descriptorsOf(own);
  const [first, ...more] = own.flatMap(({ name }) => (descriptors.has(name) ? [] : [name]));
  if (first !== undefined)
    log.warn(
      { first, sockets: more.length + 1 },
      'cannot hand over sockets, they refuse clients for a moment',
    );
  return descriptors;
}

function socketOf({ url }: HealthServer): OwnSocket {
  const { hostname, port } = new URL(url);
  return {
    name: adminSocket,
    protocol: 'TCP',
    address: hostname.replace(/^\[(.*)\]$/, '$1'),
    port: Number(port),
  };
}

/** How a process ends. */
export type End = {
  /** Requests to stop. */
  readonly stop: StopSignals;
  /** How long connections may go on after a request to stop. */
  readonly drainMs: () => number;
  /** Called once no more is to be changed in what is served. */
  readonly leaving: () => void;
  /** Stops at a request to stop. */
  readonly drain: (signal: NodeJS.Signals) => Promise<unknown>;
};

/**
 * Serves until a request to stop, or until a successor serves, and until everything open has ended.
 *
 * @throws HandoverError
 */
export async function serveToTheEnd(serving: Serving, start: Start, end: End): Promise<void> {
  const { first, second } = end.stop;
  const ending = Promise.race([first, handedOver(serving, start)]);
  await start.serves(serving);
  const signal = await ending;
  end.leaving();
  void second.then(() => serving.relay.close());
  if (signal === undefined) await leave(serving, end);
  else await end.drain(signal);
}

/** Leaves new clients to the successor, and waits until everything open has ended: as long as that takes, unless asked to stop. */
async function leave({ relay, admin, log, clock }: Serving, { stop, drainMs }: End): Promise<void> {
  await admin?.close();
  void stop.first.then((signal) => {
    log.info({ signal, drainSeconds: drainMs() / 1000 }, 'draining');
    clock.after(drainMs(), () => void relay.close());
  });
  await relay.release();
  log.info('relay stopped');
}

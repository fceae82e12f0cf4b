import { get, type IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { boundedText } from '../lib/bounded-read.ts';
import { systemClock } from '../lib/clock.ts';
import { stopSignals } from '../lib/shutdown.ts';
import { UsageError } from '../lib/usage-error.ts';
import { withTimeout } from '../lib/with-timeout.ts';
import { ClusterRelays } from './cluster-relays.ts';
import type { Command } from './command.ts';
import { topOptions } from './command-options.ts';
import { adminUrl, clusterScope, numberBetween } from './flag-values.ts';
import { anyNumber } from './manifest-flags.ts';
import { parseOptions } from './options.ts';
import { topScreen, type RelaySample } from './top-screen.ts';

/** A status of 64 endpoints of 32 remotes takes a quarter of it. */
const maxBytes = 4 * 1024 * 1024;
const timeoutMs = 3_000;

/** Takes a sample of every relay. */
type Sampler = { readonly sample: () => Promise<RelaySample[]>; readonly close: () => Promise<void> };

type Flags = ReturnType<typeof parsed>['values'];

/** `realm-operator top`: shows what relays do, again and again. */
export const top: Command = async (argv, { stdout, signals: source }) => {
  const { values, positionals } = parsed(argv);
  const seconds = numberBetween('--interval', values.interval, [1, 3600]);
  const sampler = values.cluster
    ? clusterSampler(values, positionals)
    : hostSampler(values.admin, positionals);
  const signals = stopSignals(source);
  const stop = new AbortController();
  void signals.first.then(() => {
    stop.abort();
  });
  try {
    let previous: readonly RelaySample[] = [];
    for (;;) {
      const samples = await sampler.sample();
      stdout.write(`${values.once || previous.length === 0 ? '' : clear}${topScreen(samples, previous)}`);
      if (values.once) return samples.some(({ status }) => status !== undefined) ? 0 : 1;
      previous = samples;
      await sleep(seconds * 1000, undefined, { signal: stop.signal }).catch(() => undefined);
      if (stop.signal.aborted) return 0;
    }
  } finally {
    await sampler.close();
  }
};

/** Moves a terminal's cursor to the top and erases what is below. Source: ECMA-48, CUP and ED. */
const clear = '\u001b[H\u001b[J';

function parsed(argv: readonly string[]) {
  return parseOptions(argv, topOptions, anyNumber);
}

function hostSampler(admins: readonly string[], positionals: readonly string[]): Sampler {
  if (positionals.length > 0)
    throw new UsageError(`${positionals.join(' ')}: names RealmRelays of a cluster: add --cluster`);
  const all = admins.length === 0 ? topAdmins : admins;
  const urls = all.map(adminUrl);
  return {
    sample: async () => {
      const samples = await Promise.all(urls.map(sampleOf));
      // Of the usual addresses, one is in use.
      return admins.length > 0 || samples.every(({ status }) => status === undefined)
        ? samples
        : samples.filter(({ status }) => status !== undefined);
    },
    close: () => Promise.resolve(),
  };
}

/** Where `standalone` and `relay` have their admin servers by default. */
const topAdmins = ['127.0.0.1:9465', '127.0.0.1:9180'];

async function sampleOf(url: string): Promise<RelaySample> {
  const status = await statusAt(url).catch(() => undefined);
  return { relay: url.replace('http://', ''), status, atMs: performance.now() };
}

async function statusAt(url: string): Promise<unknown> {
  return withTimeout({ clock: systemClock, timeoutMs, signals: [] }, async (signal) => {
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    get(`${url}/status`, { agent: false, signal }, resolve).on('error', reject);
    return JSON.parse(await boundedText((await promise) as AsyncIterable<Buffer>, maxBytes, 'it')) as unknown;
  });
}

function clusterSampler(flags: Flags, names: readonly string[]): Sampler {
  const cluster = new ClusterRelays(clusterScope(flags, names));
  return {
    sample: async () => {
      const relays = await cluster.relays();
      const pods = (await Promise.all(relays.map((relay) => cluster.pods(relay)))).flat();
      return Promise.all(
        pods.map(async (pod) => {
          const { namespace: home, name } = pod.metadata;
          return {
            relay: `${home}/${name}`,
            status: await cluster.ask(pod, '/status'),
            atMs: performance.now(),
          };
        }),
      );
    },
    close: () => cluster.close(),
  };
}

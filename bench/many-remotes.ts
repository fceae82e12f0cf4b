// Prints what it costs to choose the remote of a new client among 1, 32 and 1,000, and to set them up, as a reload does.
import { relayConfig } from '../src/config/parsed-config.ts';
import { systemClock } from '../src/lib/clock.ts';
import { RecentErrors } from '../src/relay/stats/recent-errors.ts';
import { RemotePools } from '../src/relay/upstream/remote-pools.ts';
import { createLogger } from '../src/telemetry/logger.ts';

const rounds = 8;
const choices = 4_000;

function poolsOf(balance: string, count: number): RemotePools {
  const [remote = '', ...others] = Array.from(
    { length: count },
    (_, index) => `10.0.${String(index >> 8)}.${String(index & 255)}:80`,
  );
  const weights = `: ${[remote, ...others].map(() => '1').join(', ')}`;
  const [endpoint] = relayConfig(
    {
      endpoints: [
        {
          listen: '[::]:80',
          remote,
          extra_remotes: others,
          balance: balance === 'iphash' ? `iphash${weights}` : `roundrobin${weights}`,
          ...(balance === 'leastconnections' && { strategy: balance }),
        },
      ],
    },
    'bench',
  ).config.endpoints;
  if (endpoint === undefined) throw new Error('no endpoint');
  return new RemotePools(endpoint, {
    log: createLogger('off', { write: () => undefined }),
    errors: new RecentErrors(systemClock),
    clock: systemClock,
    random: Math.random,
    onOvertaken: () => undefined,
  });
}

/** Microseconds of CPU for a choice, in the best of the rounds. */
function choiceUs({ first }: RemotePools): number {
  const perRound = Array.from({ length: rounds }, () => {
    const before = process.cpuUsage();
    for (let client = 0; client < choices; client += 1) {
      const ip = `192.0.2.${String(client & 255)}`;
      const remote = first.choose(ip)?.order(ip).next();
      remote?.acquire();
      remote?.release();
    }
    const { user, system } = process.cpuUsage(before);
    return (user + system) / choices;
  });
  return Math.min(...perRound);
}

for (const balance of ['roundrobin', 'leastconnections', 'iphash'])
  for (const count of [1, 32, 1_000]) {
    const startMs = performance.now();
    const pools = poolsOf(balance, count);
    const setUpMs = performance.now() - startMs;
    const figures = `choice ${choiceUs(pools).toFixed(2)} µs, set up ${setUpMs.toFixed(1)} ms`;
    process.stdout.write(`${balance}, ${String(count)} remotes: ${figures}\n`);
  }

import { spawn, spawnSync } from 'node:child_process';
import { json, text } from 'node:stream/consumers';
import { expect } from 'chai';
import fc from 'fast-check';
import { canBind, portConflicts, type Listener, type Prediction } from '../../src/api/port-conflicts.ts';
import { ipAddress } from '../support/realm-relays.ts';
import type { TrialResult, TrialSocket } from './bind-trials.ts';

/** Every kind of address, some in several spellings; all of them are given to the namespace below. */
const addresses = [
  ...['::', '0::0', '0:0:0:0:0:0:0:0'],
  ...['::1', '0:0:0:0:0:0:0:1', '2001:db8::1', '2001:DB8:0::1', '2001:db8::2'],
  ...['::ffff:0.0.0.0', '::ffff:127.0.0.1', '::FFFF:7f00:1', '::ffff:192.0.2.1'],
  ...['0.0.0.0', '127.0.0.1', '127.0.0.2', '192.0.2.1'],
  ...['fe80::1%za', 'fe80::1%zb', 'FE80::0001%za'],
];

/** IPV6_V6ONLY off is what Node cannot set with UDP, so that the namespace's default must be 0. */
const setUp = [
  'sysctl -qw net.ipv6.bindv6only=0',
  'ip link add name za type veth peer name zb',
  'for link in lo za zb; do ip link set $link up; done',
  'ip addr add 192.0.2.1/32 dev lo',
  'for address in 2001:db8::1 2001:db8::2; do ip addr add $address/128 dev lo nodad; done',
  'for link in za zb; do ip addr add fe80::1/64 dev $link nodad; done',
].join(' && ');

const namespace = ['--net', ...(process.getuid?.() === 0 ? [] : ['--user', '--map-root-user'])];

/** Mostly one port, and the same: that is what matters; else ranges that meet, touch, or lie apart. */
const ports = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom([4443, 4443], [4443, 4443], [4444, 4444]) },
  { weight: 2, arbitrary: fc.constantFrom([4440, 4442], [4442, 4444], [4444, 4447], [4441, 4446]) },
);

const socket: fc.Arbitrary<TrialSocket> = fc
  .record({
    protocol: fc.constantFrom('TCP', 'UDP'),
    address: fc.constantFrom(...addresses),
    ports,
    ipv6Only: fc.boolean(),
  })
  .map(({ ports: [port = 0, endPort = port], ...rest }) => ({ ...rest, port, endPort }));

const pairs = 4_000;

const refusal = spawnSync('unshare', [...namespace, 'sh', '-ec', setUp], { encoding: 'utf8' });
const why = refusal.status === 0 ? '' : ` (skipped: no network namespace: ${refusal.stderr.trim()})`;

(why === '' ? describe : describe.skip)(`portConflicts and the kernel${why}`, () => {
  it(`agree about ${String(pairs)} pairs of sockets and ranges, bound in both orders`, async () => {
    const sample = fc.sample(fc.tuple(socket, socket), pairs);
    const results = await bindTrials(sample);
    const wrong = sample.flatMap((pair, index) => {
      const expected = predicted(...pair);
      const actual = results[index] ?? [];
      return actual.every((outcome) => outcome === expected) ? [] : [{ pair, expected, actual }];
    });
    expect(results).to.have.length(pairs);
    expect(wrong).to.deep.equal([]);
    // Otherwise the comparison would say little.
    for (const outcome of ['fits', 'conflicts', 'cannot bind']) {
      expect(results.filter(([first]) => first === outcome).length).to.be.greaterThan(pairs / 20);
    }
  });
});

function predicted(...pair: readonly [TrialSocket, TrialSocket]): Prediction {
  const listeners = pair.map(listener);
  const bindable = listeners.every(({ listen, network }) =>
    canBind({ address: listen.address, ipv6Only: network.ipv6Only }),
  );
  if (!bindable) return 'cannot bind';
  return portConflicts(listeners).length > 0 ? 'conflicts' : 'fits';
}

function listener({ protocol, address, port, endPort, ipv6Only }: TrialSocket, index: number): Listener {
  return {
    name: String(index),
    listen: { address: ipAddress(address), port, endPort },
    network: { tcp: protocol === 'TCP', udp: protocol === 'UDP', ipv6Only },
  };
}

async function bindTrials(sample: [TrialSocket, TrialSocket][]): Promise<TrialResult[]> {
  const program = new URL('bind-trials.ts', import.meta.url).pathname;
  const command = [...namespace, 'sh', '-ec', `${setUp} && exec "$@"`, 'sh', process.execPath, program];
  const child = spawn('unshare', command, { stdio: ['pipe', 'pipe', 'pipe'] });
  child.stdin.end(JSON.stringify(sample));
  const [results, errors] = await Promise.all([json(child.stdout).catch(() => []), text(child.stderr)]);
  expect(errors).to.equal('');
  return results as TrialResult[];
}

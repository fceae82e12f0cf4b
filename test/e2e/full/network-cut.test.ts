import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { eventually } from '../../support/eventually.ts';
import { run, runOrThrow } from '../../cluster/run.ts';
import { TwoOperators } from '../../operator/two-operators.ts';

/** The loopback address at which the first operator reaches the API server, until a firewall rule drops its packets. */
const cutHost = '127.0.0.2';

/** Drops packets to that address (daddr), or from it (saddr). */
async function cut(...fields: readonly ('daddr' | 'saddr')[]): Promise<void> {
  const drops = fields.map((field) => `ip ${field} ${cutHost} drop`).join('\n');
  const chain = `chain input {\ntype filter hook input priority 0;\n${drops}\n}`;
  await runOrThrow(['nft', '-f', '-'], { stdin: `table inet cut {\n${chain}\n}` });
}

/** Runs in the network namespace of the e2e tests, so that no rule is left outside. */
describe('two operators, of which the first is cut off from the API server', () => {
  let two: TwoOperators;

  before(async () => {
    two = await TwoOperators.prepare(['--bind-address=0.0.0.0'], { 'operator-a': cutHost });
  });

  beforeEach(() => two.begin());

  afterEach(async () => {
    await two.end();
    await run(['nft', 'delete', 'table', 'inet', 'cut']); // missing if the test failed before
  });

  after(() => two.stop());

  it('never both write: the first gives up, the second takes over', async () => {
    const [a] = await two.startBoth();
    await cut('daddr', 'saddr');
    await two.written('operator-b');
    expect(await a.ended, 'it exits, to be restarted').to.equal(1);
    expect(a.messages).to.include('lease lost');
    await two.written('operator-b');
    expect(two.stray()).to.deep.equal([]);
  });

  it('never both write when the network recovers: no request of the first arrives late', async () => {
    const [a] = await two.startBoth();
    await cut('daddr'); // it still receives edits
    await eventually('a write under way, and a renewal', () => undelivered().length >= 2);
    await cut('saddr');
    await two.written('operator-b');
    expect(await a.ended).to.equal(1);
    // A renewal contains the version of its lease, so it does no harm if it arrives late.
    expect(undelivered(), 'but the renewal').to.have.length.at.most(1);
    await runOrThrow(['nft', 'delete', 'table', 'inet', 'cut']);
    // The kernel keeps sending the data of closed sockets after their process has ended, then removes them.
    await eventually('the kernel has delivered what it had of the first', () => sockets().length === 0, {
      timeoutMs: 120_000,
    });
    await two.written('operator-b');
    expect(two.stray()).to.deep.equal([]);
  }).timeout(240_000);
});

type KernelSocket = { readonly state: string; readonly bytes: number };

/** The sockets of the first operator that may still send, with their numbers of unacknowledged bytes. */
function sockets(): KernelSocket[] {
  const remote = /^ *\d+: \S+ 0200007F:\S+ (\S+) (\S+):/gm; // addresses as numbers of this machine's order
  const found = readFileSync('/proc/self/net/tcp', 'utf8').matchAll(remote);
  return [...found]
    .map(([, state = '', bytes = '']) => ({ state, bytes: Number.parseInt(bytes, 16) }))
    .filter(({ state }) => state !== timeWait);
}

/** Those with more than their FIN, which counts as a byte. */
function undelivered(): KernelSocket[] {
  return sockets().filter(({ bytes }) => bytes > 1);
}

const timeWait = '06';

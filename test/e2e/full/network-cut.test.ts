import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { eventually } from '../../support/eventually.ts';
import { run, runOrThrow } from '../../cluster/run.ts';
import { TwoOperators } from '../../operator/two-operators.ts';

/** The address at which the first operator reaches the API server: of loopback, and cut from it by the kernel. */
const cutHost = '127.0.0.2';

/** Drops what goes to that address (daddr), or comes from it (saddr). */
async function cut(...fields: readonly ('daddr' | 'saddr')[]): Promise<void> {
  const drops = fields.map((field) => `ip ${field} ${cutHost} drop`).join('\n');
  const chain = `chain input {\ntype filter hook input priority 0;\n${drops}\n}`;
  await runOrThrow(['nft', '-f', '-'], { stdin: `table inet cut {\n${chain}\n}` });
}

/** In the network namespace of the e2e tests, so that no rule is left outside. */
describe('two operators, of which the first is cut off from the API server', () => {
  let two: TwoOperators;

  before(async () => {
    two = await TwoOperators.prepare(['--bind-address=0.0.0.0'], { 'operator-a': cutHost });
  });

  beforeEach(() => two.begin());

  afterEach(async () => {
    await two.end();
    await run(['nft', 'delete', 'table', 'inet', 'cut']); // not there where the test never came to it
  });

  after(() => two.stop());

  it('never write both: the first gives up, the second takes over', async () => {
    const [a] = await two.startBoth();
    await cut('daddr', 'saddr');
    await two.written('operator-b');
    expect(await a.ended, 'it gives up, to be started anew').to.equal(1);
    expect(a.messages).to.include('lease lost');
    await two.written('operator-b');
    expect(two.stray()).to.deep.equal([]);
  });

  it('never write both where the cut heals: what the first had sent does not arrive late', async () => {
    const [a] = await two.startBoth();
    await cut('daddr'); // it still hears of edits
    await eventually('a write under way, and a renewal', () => undelivered().length >= 2);
    await cut('saddr');
    await two.written('operator-b');
    expect(await a.ended).to.equal(1);
    // A renewal says of which lease it is one, so that it does no harm when it arrives late.
    expect(undelivered(), 'but the renewal').to.have.length.at.most(1);
    await runOrThrow(['nft', 'delete', 'table', 'inet', 'cut']);
    // Closed sockets go on sending after their process has ended; then they are gone.
    await eventually('the kernel has delivered what it had of the first', () => sockets().length === 0, {
      timeoutMs: 120_000,
    });
    await two.written('operator-b');
    expect(two.stray()).to.deep.equal([]);
  }).timeout(240_000);
});

type KernelSocket = { readonly state: string; readonly bytes: number };

/** The sockets of the first operator that may still send, and how many bytes each has that nobody acknowledged. */
function sockets(): KernelSocket[] {
  const remote = /^ *\d+: \S+ 0200007F:\S+ (\S+) (\S+):/gm; // addresses as numbers of this machine's order
  const found = readFileSync('/proc/self/net/tcp', 'utf8').matchAll(remote);
  return [...found]
    .map(([, state = '', bytes = '']) => ({ state, bytes: Number.parseInt(bytes, 16) }))
    .filter(({ state }) => state !== timeWait);
}

/** Those with more than their end, which counts as a byte. */
function undelivered(): KernelSocket[] {
  return sockets().filter(({ bytes }) => bytes > 1);
}

const timeWait = '06';

import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { eventually } from '../../cluster/eventually.ts';
import { run, runOrThrow } from '../../cluster/run.ts';
import { TwoOperators } from '../../operator/two-operators.ts';

/** The address at which the first operator reaches the API server: of loopback, and cut from it by the kernel. */
const cutHost = '127.0.0.2';

const rules = `table inet cut {
  chain input {
    type filter hook input priority 0;
    ip daddr ${cutHost} drop
    ip saddr ${cutHost} drop
  }
}`;

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
    await runOrThrow(['nft', '-f', '-'], { stdin: rules });
    await two.written('operator-b');
    expect(await a.ended, 'it gives up, to be started anew').to.equal(1);
    expect(a.messages).to.include('lease lost');
    await two.written('operator-b');
    expect(two.stray()).to.deep.equal([]);
  });

  it('never write both where the cut heals: what the first had sent does not arrive late', async () => {
    const [a] = await two.startBoth();
    await runOrThrow(['nft', '-f', '-'], { stdin: rules });
    await two.written('operator-b');
    expect(await a.ended).to.equal(1);
    await runOrThrow(['nft', 'delete', 'table', 'inet', 'cut']);
    // Closed sockets go on sending after their process has ended; then they are gone.
    await eventually('the kernel has delivered what it had of the first', () => !hasSockets(), {
      timeoutMs: 120_000,
    });
    await two.written('operator-b');
    expect(two.stray()).to.deep.equal([]);
  }).timeout(240_000);
});

/** Whether the kernel has sockets of the first operator that may still send. */
function hasSockets(): boolean {
  const remote = /^ *\d+: \S+ 0200007F:\S+ (\S+)/gm; // addresses as numbers of this machine's order
  const states = [...readFileSync('/proc/self/net/tcp', 'utf8').matchAll(remote)].map(([, state]) => state);
  return states.some((state) => state !== timeWait);
}

const timeWait = '06';

import { expect } from 'chai';
import { runOrThrow } from '../cluster/run.ts';

const module = new URL('../../src/lib/v8-flags.ts', import.meta.url).href;

/** Creates thousands of objects that live for a while, as an informer does, and prints the size of the young heap. */
const program = `
  import { getHeapSpaceStatistics } from 'node:v8';
  const flags = await import(${JSON.stringify(module)});
  flags[process.argv[1]]?.();
  const kept = [];
  for (let round = 0; round < 200_000; round += 1) {
    kept.push(JSON.parse('{"metadata":{"name":"web","labels":{"a":"b"}},"spec":[1,2,3]}'));
    if (kept.length > 50_000) kept.splice(0, 10_000);
  }
  const young = getHeapSpaceStatistics().find(({ space_name }) => space_name === 'new_space');
  process.stdout.write(String(young.space_size));
`;

async function youngHeapBytes(mode: 'setHeapFlags' | 'setRelayHeapFlag' | 'none'): Promise<number> {
  return Number(await runOrThrow([process.execPath, '--input-type=module', '--eval', program, mode]));
}

for (const flags of ['setHeapFlags', 'setRelayHeapFlag'] as const)
  describe(flags, () => {
    it('keeps the young generation at a few megabytes, which otherwise grows', async () => {
      const small = await youngHeapBytes(flags);
      expect(small).to.be.below(5_000_000);
      expect(await youngHeapBytes('none')).to.be.above(3 * small);
    });
  });

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { ownNetwork, prepareNode } from './node.ts';

// make soak: on a node, or with LAYER=loopback, or if this machine cannot run a node, on loopback.
const main = join(import.meta.dirname, '..', 'test', 'soak', 'main.ts');

/** Runs the load to its end. @returns its exit code. */
function soak(place: 'node' | 'loopback'): number {
  const wrapper = place === 'node' ? ownNetwork : [];
  const [command, ...args] = [...wrapper, process.execPath, main, place];
  return spawnSync(command, args, { stdio: 'inherit' }).status ?? 1;
}

async function chosenPlace(): Promise<'node' | 'loopback' | 'failed'> {
  if (process.env['LAYER'] === 'loopback') return 'loopback';
  const node = await prepareNode();
  if (node === 'failed') return 'failed';
  if (node === 'ready') return 'node';
  process.stdout.write(`skipped: a relay on a node: ${node.cannot}; it runs on loopback instead\n`);
  return 'loopback';
}

const place = await chosenPlace();
process.exitCode = place === 'failed' ? 1 : soak(place);

import { setTimeout as delay } from 'node:timers/promises';
import { run, runOrThrow } from '../cluster/run.ts';
import type { ActiveFault, Fault } from './faults.ts';

/** The end of the node's only link in the network namespace of this process; node-init.sh creates it. */
const link = 'node';
const table = 'inet soak';
/** The share of packets that are lost, in percent, and how late the others are with netem. */
const lossPercent = 2;
const netem = ['netem', 'loss', `${String(lossPercent)}%`, 'delay', '5ms', '3ms'] as const;
const lossMs = 6_000;
const shortestCutMs = 2_000;
const longestCutMs = 6_000;

/** No packet from or to these ports passes for some seconds. */
export function cutFault(name: string, ports: readonly number[]): Fault {
  const list = `{ ${ports.join(', ')} }`;
  const drops = ['sport', 'dport'].map((field) => `meta l4proto { tcp, udp } th ${field} ${list} drop`);
  return {
    name,
    excuses: ['reset'],
    begin: async (random) => {
      await dropPackets(drops);
      return { lasted: delay(shortestCutMs + random() * (longestCutMs - shortestCutMs)), end: passAll };
    },
  };
}

/** Some packets are lost: by netem, which also delays them, or by nftables if the kernel has no netem, which is reported. */
export async function lossFault(print: (line: string) => void): Promise<Fault> {
  const add = ['tc', 'qdisc', 'add', 'dev', link, 'root', ...netem] as const;
  const remove = ['tc', 'qdisc', 'del', 'dev', link, 'root'] as const;
  const tried = await run(add).catch((error: unknown) => ({ code: -1, stderr: String(error) }));
  if (tried.code === 0) {
    await runOrThrow(remove);
    return loss('packets are lost and late (netem)', async () => {
      await runOrThrow(add);
      const end = async (): Promise<void> => {
        await runOrThrow(remove);
      };
      return { lasted: delay(lossMs), end };
    });
  }
  print(`skipped: delay and loss by netem: ${tried.stderr.trim()}; nftables drops packets instead`);
  return loss('packets are lost (nftables)', async () => {
    await dropPackets([`iifname "${link}" numgen random mod 100 < ${String(lossPercent)} drop`]);
    return { lasted: delay(lossMs), end: passAll };
  });
}

/** TCP hides it, unless the same packet is lost again and again while a connection is opened. */
function loss(name: string, begin: () => Promise<ActiveFault>): Fault {
  return { name, excuses: ['reset'], begin };
}

async function dropPackets(rules: readonly string[]): Promise<void> {
  const chains = ['input', 'output'].map(
    (hook) => `chain ${hook} {\ntype filter hook ${hook} priority 0;\n${rules.join('\n')}\n}`,
  );
  // iifname is unknown in the hook output, so those rules drop on arrival alone.
  await runOrThrow(['nft', '-f', '-'], { stdin: `table ${table} {\n${chains.join('\n')}\n}` });
}

async function passAll(): Promise<void> {
  await runOrThrow(['nft', 'delete', 'table', ...table.split(' ')]);
}

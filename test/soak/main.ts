import { LoopbackRelay } from './loopback-relay.ts';
import { NodeRelay } from './node-relay.ts';
import { report, violations } from './report.ts';
import { Soak } from './soak.ts';
import { StreamBook } from './stream.ts';

// make soak: MINUTES=10 SEED=1. The argument is where the relay runs: `node` or `loopback`.
const minutes = Number(process.env['MINUTES'] ?? 10);
const seed = Number(process.env['SEED'] ?? 1);
const place = process.argv[2] === 'node' ? 'node' : 'loopback';

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

const book = new StreamBook();
const relay = await (place === 'node' ? NodeRelay.start(book, print) : LoopbackRelay.start(book));
print(
  `SEED=${String(seed)}, ${String(minutes)} minutes, a relay on ${place === 'node' ? 'a node' : 'loopback'}`,
);
if (place === 'node') print('skipped: the number of timers: it is not visible from outside a Pod');
const deadlineMs = performance.now() + minutes * 60_000;
const soak = new Soak(book, relay, {
  seed,
  lanes: 16,
  streamsOfRound: 200,
  goesOn: () => performance.now() < deadlineMs,
  onRound: (fault, { violations: found }) => {
    print(`${fault}: ${String(found.length)} violations so far`);
  },
});
try {
  const ledger = await soak.run();
  print(report(ledger));
  const found = violations(ledger);
  if (found.length > 0)
    print(`Repeat it with: make soak LAYER=${place} SEED=${String(seed)} MINUTES=${String(minutes)}`);
  print(`${String(found.length)} violations`);
  process.exitCode = found.length === 0 ? 0 : 1;
} finally {
  await relay.end();
}

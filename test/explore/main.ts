import { startControlPlane } from '../cluster/control-plane.ts';
import { explore } from './explorer.ts';

// make explore: EDITS=2000 SEED=1.
const edits = Number(process.env['EDITS'] ?? 2_000);
const seed = Number(process.env['SEED'] ?? 1);

const controlPlane = await startControlPlane({ manifests: ['crds/realmrelays.yaml'] });
try {
  const { violations, ...counts } = await explore(controlPlane, seed, edits, (edit, shown) => {
    for (const violation of shown) process.stdout.write(`VIOLATION SEED=${String(seed)} ${violation}\n`);
    if ((edit + 1) % 100 === 0) process.stdout.write(`${String(edit + 1)} edits\n`);
  });
  process.stdout.write(`${JSON.stringify(counts)}, ${String(violations.length)} violations\n`);
  process.exitCode = violations.length === 0 ? 0 : 1;
} finally {
  await controlPlane.stop();
}

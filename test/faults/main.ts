import { startControlPlane } from '../cluster/control-plane.ts';
import { calmProcessRun, crashMoments, crashRun, type WriteKind } from './crash-run.ts';
import type { Outcome } from './calm-run.ts';
import { calmRun, faultyRun } from './fault-run.ts';
import { planNames } from './fault-plan.ts';
import { Place } from './place.ts';
import { scenarios, type Scenario } from './scenarios.ts';

// make faults: SEED=1, SEEDS=3 of them from there on, SCENARIO="scale", PLAN="outage"; PLAN=crash and PLAN="crash at events and leases"
// from WRITE=0 on.
const firstSeed = Number(process.env['SEED'] ?? 1);
const seeds = Array.from({ length: Number(process.env['SEEDS'] ?? 1) }, (_, index) => firstSeed + index);
const chosen = scenarios.filter(({ name }) => (process.env['SCENARIO'] ?? name) === name);
const firstWrite = Number(process.env['WRITE'] ?? 0);
const plans = planNames.filter((name) => (process.env['PLAN'] ?? name) === name);

const crashPlans: ReadonlyMap<string, WriteKind> = new Map([
  ['crash', 'objects'],
  ['crash at events and leases', 'events and leases'],
]);

/** The bundle starts faster than the source. */
const program = 'dist/realm-operator.js';

let [runs, faults, violated] = [0, 0, 0];

function report(what: string, outcome: Outcome): void {
  runs += 1;
  faults += outcome.faults;
  for (const violation of outcome.violations) process.stdout.write(`VIOLATION ${what}: ${violation}\n`);
  if (outcome.violations.length > 0) violated += 1;
}

async function tryFaults(place: Place, scenario: Scenario): Promise<void> {
  const calm = await calmRun(place, scenario);
  for (const plan of plans) {
    for (const seed of seeds) {
      const outcome = await faultyRun(place, scenario, { calm, plan, seed });
      report(`SCENARIO="${scenario.name}" PLAN="${plan}" SEED=${String(seed)}`, outcome);
    }
  }
}

/** Kills the operator before and after each of its writes of `kind`. */
async function tryCrashes(place: Place, scenario: Scenario, plan: string, kind: WriteKind): Promise<void> {
  const calm = await calmProcessRun(place, scenario, program);
  for (let write = firstWrite; ; write += 1) {
    for (const when of crashMoments) {
      const outcome = await crashRun(place, scenario, { calm, crash: { kind, write, when }, program });
      if (outcome === undefined) return;
      report(`SCENARIO="${scenario.name}" PLAN="${plan}" WRITE=${String(write)} (${when} it)`, outcome);
    }
  }
}

async function tryAll(place: Place, scenario: Scenario): Promise<void> {
  const before = { runs, faults };
  if (plans.length > 0) await tryFaults(place, scenario);
  for (const [plan, kind] of crashPlans)
    if ((process.env['PLAN'] ?? plan) === plan) await tryCrashes(place, scenario, plan, kind);
  const counts = `${String(runs - before.runs)} runs, ${String(faults - before.faults)} faults and crashes`;
  process.stdout.write(`${scenario.name}: ${counts}\n`);
}

const controlPlane = await startControlPlane({ manifests: ['crds/realmrelays.yaml'] });
const place = await Place.prepare(controlPlane);
try {
  for (const scenario of chosen) await tryAll(place, scenario);
} finally {
  await place.remove();
  await controlPlane.stop();
}
process.stdout.write(
  `${String(runs)} runs, ${String(faults)} faults, ${String(violated)} runs with violations\n`,
);
process.exitCode = violated === 0 ? 0 : 1;

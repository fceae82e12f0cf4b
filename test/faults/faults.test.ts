import { expect } from 'chai';
import { describeWithCluster } from '../cluster/shared.ts';
import { calmProcessRun, crashMoments, crashRun } from './crash-run.ts';
import { calmRun, faultyRun } from './fault-run.ts';
import { Place } from './place.ts';
import { type Scenario, scenarios } from './scenarios.ts';
import { differences } from './snapshot.ts';

/** A fixed slice of `make faults`. */
const faulty = [
  { name: 'create', plan: 'mixed', seed: 1 },
  { name: 'scale', plan: 'lost answer', seed: 2 },
  { name: 'conflict and repair', plan: 'half an answer', seed: 3 },
  { name: 'delete and create', plan: 'outage', seed: 4 },
];
const crashing = { name: 'create', writes: [0, 3, 6] };

describeWithCluster('operator under faults', (cluster) => {
  let place: Place;

  before(async () => {
    place = await Place.prepare(cluster());
  });

  after(() => place.remove());

  for (const { name, plan, seed } of faulty) {
    it(`leaves the cluster as a calm run does: ${name}, ${plan}, seed ${String(seed)}`, async () => {
      const scenario = scenarioOf(name);
      const calm = await calmRun(place, scenario);
      const { faults, violations } = await faultyRun(place, scenario, { calm, plan, seed });
      expect(violations).to.deep.equal([]);
      expect(faults).to.be.greaterThan(0);
    });
  }

  it(`leaves the cluster as a calm run does if it is killed before or after a write: ${crashing.name}`, async () => {
    const scenario = scenarioOf(crashing.name);
    const calm = await calmProcessRun(place, scenario);
    for (const write of crashing.writes) {
      for (const when of crashMoments) {
        const outcome = await crashRun(place, scenario, { calm, crash: { kind: 'objects', write, when } });
        expect(outcome, `${when} write ${String(write)}`).to.deep.equal({ faults: 1, violations: [] });
      }
    }
  });
});

describe('differences between two clusters', () => {
  it('names what is missing, what is left over and what is not the same', () => {
    const wanted = { 'services/web': { spec: { type: 'ClusterIP', ports: [1] } }, 'configmaps/web': {} };
    const found = { 'services/web': { spec: { type: 'NodePort', ports: [1, 2] } }, 'deployments/web': {} };
    expect(differences(wanted, found)).to.deep.equal([
      'configmaps/web is missing',
      'deployments/web is left over',
      'services/web spec ports 1 is left over',
      'services/web spec type is "NodePort", not "ClusterIP"',
    ]);
  });
});

function scenarioOf(name: string): Scenario {
  const found = scenarios.find((scenario) => scenario.name === name);
  if (found === undefined) throw new Error(`there is no scenario ${name}`);
  return found;
}

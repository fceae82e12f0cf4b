import { rmSync } from 'node:fs';
import { expect } from 'chai';
import { type ControlPlane, startControlPlane } from '../cluster/control-plane.ts';
import { eventually } from '../support/eventually.ts';
import { describeWithHelm } from '../cluster/helm.ts';
import { describeWithCluster } from '../cluster/shared.ts';
import { chart, olderChart } from './chart.ts';

const crd = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions/realmrelays.realm-operator.dev';
const relays = '/apis/realm-operator.dev/v1alpha1/namespaces/default/realmrelays';
const operator = '/apis/apps/v1/namespaces/realm/deployments/realm-operator';
const role = '/apis/rbac.authorization.k8s.io/v1/clusterroles/realm-operator';
const policy =
  '/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/realmrelays.realm-operator.dev';

/** With a control plane of its own: the chart brings the CRD, and takes it along. */
describeWithHelm('chart: a release', (helm) => {
  describeWithCluster('on a control plane', () => {
    let own: ControlPlane;
    let older: string;

    before(async () => {
      older = olderChart();
      own = await startControlPlane();
    });

    after(async () => {
      rmSync(older, { recursive: true });
      await own.stop();
    });

    async function release(...args: string[]): Promise<string> {
      return helm.runOrThrow([...args, '--namespace', 'realm', '--kubeconfig', own.kubeconfig]);
    }

    async function status(path: string): Promise<number> {
      return (await own.request('GET', path)).status;
    }

    /** Resolves once the CRD has this schema of `spec.paused`, and the API server goes by it. */
    async function expectPaused(isKnown: boolean): Promise<void> {
      await eventually(`spec.paused is ${isKnown ? '' : 'un'}known`, async () => {
        const relay = realmRelay(`probe-${String(isKnown)}`, { paused: true });
        const dryRun = `${relays}?dryRun=All&fieldValidation=Strict`;
        return (await own.request('POST', dryRun, relay)).status === (isKnown ? 201 : 400);
      });
    }

    it('is installed, upgraded with its CRD, rolled back and uninstalled, and RealmRelays live through it', async () => {
      const notes = await release('install', 'realm-operator', older, '--create-namespace');
      expect(notes).to.include('realm-operator 0.0.9 looks after RealmRelays in every namespace.');
      await expectPaused(false);
      const made = await own.request('POST', relays, realmRelay('web'));
      expect(made.status, made.text).to.equal(201);
      const { uid } = (made.json() as { metadata: { uid: string } }).metadata;

      await release('upgrade', 'realm-operator', chart, '--set', 'logLevel=debug');
      await expectPaused(true);
      expect((await own.request('GET', operator)).text).to.include('--log-level=debug');

      await release('rollback', 'realm-operator', '1');
      await expectPaused(false);
      expect((await own.request('GET', operator)).text).not.to.include('--log-level=debug');

      await release('uninstall', 'realm-operator');
      await eventually('the operator is gone', async () => (await status(operator)) === 404);
      expect(await Promise.all([status(role), status(policy), status(crd)])).to.deep.equal([404, 404, 200]);
      const kept = await own.request('GET', `${relays}/web`);
      expect(kept.json()).to.have.nested.property('metadata.uid', uid);

      await release('install', 'realm-operator', chart);
      await expectPaused(true);
      await release('upgrade', 'realm-operator', chart, '--set', 'crds.keep=false');
      await release('uninstall', 'realm-operator');
      await eventually('the CRD is gone', async () => (await status(crd)) === 404);
    });

    it('takes over a CRD that came without it, if requested', async () => {
      await own.kubectl(['create', 'namespace', 'realm']);
      const applied = await own.kubectl(['apply', '--server-side', '--filename', 'crds/realmrelays.yaml']);
      expect(applied.code, applied.stderr).to.equal(0);
      const install = ['install', 'realm-operator', chart, '--set', 'crds.keep=false'];
      const scope = ['--namespace', 'realm', '--kubeconfig', own.kubeconfig];
      const refused = await helm.run([...install, ...scope]);
      expect(refused.stderr).to.include('invalid ownership metadata');
      await release(...install, '--take-ownership', '--force-conflicts');
      await release('uninstall', 'realm-operator');
      await eventually('the CRD is gone', async () => (await status(crd)) === 404);
    });
  });
});

function realmRelay(name: string, spec: object = {}): object {
  const remotes = [{ address: '192.0.2.7', port: 443 }];
  return {
    apiVersion: 'realm-operator.dev/v1alpha1',
    kind: 'RealmRelay',
    metadata: { name },
    spec: { endpoints: [{ name: 'https', listen: { port: 443 }, remotes }], ...spec },
  };
}

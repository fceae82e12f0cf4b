import { expect } from 'chai';
import { KubeConfig } from '@kubernetes/client-node';
import { kubeConfigLoader, type KubeConfigLoader } from '../../src/kube/kube-config.ts';
import { type ControlPlane, startControlPlane } from '../cluster/control-plane.ts';
import { eventually } from '../cluster/eventually.ts';
import { describeWithCluster } from '../cluster/shared.ts';
import { AuditLog } from './audit-log.ts';
import { childrenOfWeb, Edge, spec } from './edge.ts';

const role = '/apis/rbac.authorization.k8s.io/v1/clusterroles/realm-operator';

type Role = { rules: { resources: string[] }[] };

/** With a control plane of its own, whose API server asks for one permission more, as OpenShift's does. */
describeWithCluster('operator with the permissions of config/rbac.yaml', function () {
  let own: ControlPlane;
  let audit: AuditLog;
  let edge: Edge;

  before(async function () {
    this.timeout(120_000);
    audit = new AuditLog(['get', 'watch', 'patch', 'delete']);
    own = await startControlPlane({
      manifests: ['crds/realmrelays.yaml', 'config/namespace.yaml', 'config/rbac.yaml'],
      controllerManager: false,
      apiServerFlags: ['--enable-admission-plugins=OwnerReferencesPermissionEnforcement', ...audit.flags],
    });
    edge = new Edge(own, await own.namespace(), await asOperator());
    await edge.start();
  });

  after(async function () {
    this.timeout(30_000);
    await edge.stop();
    await own.stop();
    await audit.remove();
  });

  /** A kubeconfig with a token of the operator's service account. */
  async function asOperator(): Promise<KubeConfigLoader> {
    const account = '/api/v1/namespaces/realm-operator-system/serviceaccounts/realm-operator';
    const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: {} };
    const { json } = await own.request('POST', `${account}/token`, body);
    const { token } = (json() as { status: { token: string } }).status;
    const admin = kubeConfigLoader({ file: own.kubeconfig })();
    const config = new KubeConfig();
    const cluster = admin.getCurrentCluster();
    if (cluster === null) throw new Error('no cluster');
    config.loadFromClusterAndUser(cluster, { name: 'operator', token });
    return () => config;
  }

  function forbidden(): unknown[] {
    return edge.logged.filter(({ err }) => (err as { status?: number } | undefined)?.status === 403);
  }

  it('does all that it does', async () => {
    await edge.applyRelay('web', spec());
    await edge.expectCondition('web', 'Programmed', 'True', 'Programmed');
    await edge.write('DELETE', 'services/web');
    await edge.expect('services/web');
    await edge.applyRelay('web', spec(8443, { service: { enabled: false } }));
    await edge.expectMissing('services/web');
    const companions = ['networkpolicies/web', 'poddisruptionbudgets/web', 'horizontalpodautoscalers/web'];
    const all: Parameters<typeof spec>[1] = {
      service: { enabled: false },
      networkPolicy: { enabled: true },
      podDisruptionBudget: {},
      autoscaling: { maxReplicas: 3 },
      workload: { hostNetwork: true },
    };
    await edge.applyRelay('web', spec(8443, all));
    for (const object of companions) await edge.expect(object);
    await edge.applyRelay('web', spec(8443, { service: { enabled: false } }));
    for (const object of companions) await edge.expectMissing(object);
    for (const kind of ['DaemonSet', 'Deployment', 'DaemonSet'] as const) {
      await edge.applyRelay('other', spec(8443, { workload: { kind, hostNetwork: true } }));
      await edge.expect(`${kind.toLowerCase()}s/other`);
      await edge.expectMissing(kind === 'DaemonSet' ? 'deployments/other' : 'daemonsets/other');
    }
    await edge.write('DELETE', 'realmrelays/other');
    for (const child of childrenOfWeb.slice(0, 2)) await edge.expect(child);
    await eventually('events', async () => (await edge.eventReasons('web')).includes('Deleted'));
    expect(forbidden()).to.deep.equal([]);
  });

  it('used every right to the objects that only some relays have', () => {
    const kinds = [
      'apps/daemonsets',
      'apps/deployments',
      'autoscaling/horizontalpodautoscalers',
      'networking.k8s.io/networkpolicies',
      'policy/poddisruptionbudgets',
    ];
    const rights = ['get', 'watch', 'patch', 'delete'].flatMap((verb) =>
      kinds.map((kind) => `${verb} ${kind}`),
    );
    expect([...audit.rights('realm-operator')]).to.include.members([...rights, 'get /namespaces']);
  });

  it('says what it is not allowed to do, and goes on when it is: update on realmrelays/finalizers', async function () {
    this.timeout(60_000);
    const { json } = await own.request('GET', role);
    const { rules } = json() as Role;
    const less = rules.filter(({ resources }) => !resources.includes('realmrelays/finalizers'));
    await own.request('PATCH', role, { rules: less }, 'application/merge-patch+json');
    await eventually('the permission is gone', async () => {
      await edge.write('DELETE', 'configmaps/web-config').catch(() => undefined);
      return forbidden().length > 0;
    });
    const { message } = await edge.expectCondition('web', 'Programmed', 'False', 'ApplyFailed');
    expect(message).to.include('cannot set blockOwnerDeletion');
    await own.request('PATCH', role, { rules }, 'application/merge-patch+json');
    await edge.expectCondition('web', 'Programmed', 'True', 'Programmed');
  });
});

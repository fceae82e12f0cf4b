import { mkdtempSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { dump } from 'js-yaml';
import { operatorContainer, releaseNamespace, rendered } from '../chart/chart.ts';
import { type ControlPlane, startControlPlane } from '../cluster/control-plane.ts';
import { crdsServed } from '../cluster/crds.ts';
import { eventually } from '../support/eventually.ts';
import { describeWithHelm } from '../cluster/helm.ts';
import { describeWithCluster } from '../cluster/shared.ts';
import { accountKubeConfig } from './account.ts';
import { AuditLog } from './audit-log.ts';
import { childrenOfWeb, Edge, spec } from './edge.ts';
import { useEveryRight } from './every-right.ts';
import { GatewayEdge, installKinds } from './gateway/gateway-edge.ts';
import { hasGatewayCrds } from '../cluster/crds.ts';
import { OperatorProcess } from './operator-process.ts';

const name = 'realm-operator';
const rbac = '/apis/rbac.authorization.k8s.io/v1';
const leaseRole = `${rbac}/namespaces/${releaseNamespace}/roles/${name}-lease`;
const verbs = ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete'];
/** The plugin that asks for it leaves no trace in the audit log; a test takes it away. */
const unseen = 'update realm-operator.dev/realmrelays/finalizers';
const unseenOfGateways = 'update gateway.networking.k8s.io/gateways/finalizers';

const shellLabels = {
  'app.kubernetes.io/managed-by': 'realm-operator',
  'app.kubernetes.io/instance': 'shell',
};

/** It says of itself what the operator's objects say. */
const privilegedDaemonSet = {
  metadata: {
    name: 'shell',
    labels: { 'app.kubernetes.io/managed-by': 'realm-operator' },
    ownerReferences: [
      {
        apiVersion: 'realm-operator.dev/v1alpha1',
        kind: 'RealmRelay',
        name: 'shell',
        uid: 'a',
        controller: true,
      },
    ],
  },
  spec: {
    selector: { matchLabels: shellLabels },
    template: {
      metadata: { labels: shellLabels },
      spec: {
        automountServiceAccountToken: false,
        securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
        containers: [{ name: 'shell', image: 'a', securityContext: { privileged: true } }],
      },
    },
  },
};

type Rule = { apiGroups: string[]; resources: string[]; verbs: string[] };

/**
 * The API server asks for one permission more, as OpenShift's does, and streams no lists, so that those are asked for, too.
 * No controller manager makes a second operator of the Deployment that is installed.
 */
const apiServerFlags = [
  '--enable-admission-plugins=OwnerReferencesPermissionEnforcement',
  '--feature-gates=WatchList=false',
];

type Scope = {
  /** Puts into `installed` what an installation does, and resolves with the flags of the operator. */
  readonly install: (installed: Installed) => Promise<readonly string[]>;
  /** Path of the role by which it works in `namespace`. */
  readonly role: (namespace: string) => string;
  /** Whether it asks namespace by namespace. */
  readonly isConfined: boolean;
};

/** An operator as a process with its own service account, on a control plane of its own. */
class Installed {
  readonly controlPlane: ControlPlane;
  readonly audit: AuditLog;
  readonly edges: readonly [Edge, Edge, Edge];
  readonly #folder = mkdtempSync(join(tmpdir(), 'realm-operator-permissions-'));
  #operator: OperatorProcess | undefined;

  private constructor(controlPlane: ControlPlane, audit: AuditLog, edges: [Edge, Edge, Edge]) {
    this.controlPlane = controlPlane;
    this.audit = audit;
    this.edges = edges;
  }

  /** Starts the control plane, with three namespaces and one for the operator. */
  static async prepare(): Promise<Installed> {
    const audit = new AuditLog(verbs);
    const controlPlane = await startControlPlane({
      controllerManager: false,
      apiServerFlags: [...apiServerFlags, ...audit.flags],
    });
    await controlPlane.request('POST', '/api/v1/namespaces', { metadata: { name: releaseNamespace } });
    const labels = { 'realm-operator.dev/allow-host-network': 'true' };
    const edge = async (): Promise<Edge> => new Edge(controlPlane, await controlPlane.namespace(labels));
    return new Installed(controlPlane, audit, [await edge(), await edge(), await edge()]);
  }

  /** Runs kubectl, which must succeed. */
  async kubectl(args: readonly string[], stdin?: string): Promise<void> {
    const { code, stderr } = await this.controlPlane.kubectl(args, stdin);
    if (code !== 0) throw new Error(stderr);
  }

  /** Starts the operator with `flags` besides those that its Pod would give it, and resolves when it is at work. */
  async start(flags: readonly string[]): Promise<void> {
    await crdsServed((args) => this.kubectl(args));
    const file = join(this.#folder, 'kubeconfig');
    const config = await accountKubeConfig(this.controlPlane, { namespace: releaseNamespace, name });
    writeFileSync(file, config.exportConfig());
    const own = [`--kubeconfig=${file}`, `--lease-namespace=${releaseNamespace}`];
    await this.#policiesAct();
    this.#operator = new OperatorProcess([...flags, ...own]);
    await this.#operator.logged('operator ready');
    await this.#operator.logged('lease acquired');
  }

  /** Resolves once the API server goes by the policy of the operator's account, so that all it does is judged. */
  async #policiesAct(): Promise<void> {
    const [{ namespace }] = this.edges;
    const account = this.controlPlane.as(`system:serviceaccount:${releaseNamespace}:${name}`);
    const probe = { metadata: { name: 'probe' } };
    await eventually('the policy of the operator acts', async () => {
      const path = `/api/v1/namespaces/${namespace}/configmaps?dryRun=All`;
      const { status, text } = await account.request('POST', path, probe);
      return status === 403 && text.includes('denied request');
    });
  }

  /** What the operator has logged. */
  get messages(): readonly string[] {
    return this.#operator?.messages ?? [];
  }

  /** The rules of the role at `path`. */
  async rules(path: string): Promise<readonly Rule[]> {
    const { status, text, json } = await this.controlPlane.request('GET', path);
    if (status !== 200) throw new Error(text);
    return (json() as { rules: Rule[] }).rules;
  }

  /** The rights that the role at `path` gives and that were not used: in `namespace`, where it is given. */
  async unused(path: string, namespace?: string): Promise<string[]> {
    const used = this.audit.rights(name, namespace);
    const granted = (await this.rules(path)).flatMap(({ apiGroups, resources, verbs }) =>
      apiGroups.flatMap((group) =>
        resources.flatMap((resource) => verbs.map((verb) => `${verb} ${group}/${resource}`)),
      ),
    );
    return granted.filter((right) => !used.has(right));
  }

  async stop(): Promise<void> {
    await this.#operator?.end();
    await this.controlPlane.stop();
    await this.audit.remove();
    await rm(this.#folder, { recursive: true });
  }
}

function describeRights(
  title: string,
  { install, role, isConfined }: Scope,
  more: (installed: () => Installed) => void,
): void {
  describeWithCluster(title, function () {
    let installed: Installed;
    let edge: Edge;

    before(async () => {
      installed = await Installed.prepare();
      [edge] = installed.edges;
      await installed.start(await install(installed));
    });

    after(async () => {
      await installed.stop();
    });

    it('does all that it does', async () => {
      await useEveryRight(edge);
      expect(installed.audit.forbidden(name)).to.deep.equal([]);
    });

    it('has no right that it did not use', async () => {
      const { namespace } = edge;
      const unused = (): Promise<string[]> =>
        installed.unused(role(namespace), ...(isConfined ? [namespace] : []));
      await eventually('every right used but one', async () => (await unused()).length <= 1);
      expect(await unused()).to.deep.equal([unseen]);
      await eventually('every right to the lease used, the last by its renewal', async () => {
        return (await installed.unused(leaseRole, releaseNamespace)).length === 0;
      });
    });

    more(() => installed);

    /** Takes the rules for `resource` away, and gives them back after `body`. */
    async function without(resource: string, body: () => Promise<void>): Promise<void> {
      const path = role(edge.namespace);
      const rules = await installed.rules(path);
      const grant = (rules: readonly Rule[]): Promise<unknown> =>
        installed.controlPlane.request('PATCH', path, { rules }, 'application/merge-patch+json');
      await grant(rules.filter(({ resources }) => !resources.includes(resource)));
      await body();
      await grant(rules);
    }

    /** How often the operator was forbidden what ends so. */
    function timesForbidden(end: string): number {
      return installed.audit.forbidden(name).filter((request) => request.split('?')[0]?.endsWith(end)).length;
    }

    it('logs once that it may not read namespaces, and applies all the same', async () => {
      let port = 8_000;
      await without('namespaces', async () => {
        await eventually('forbidden twice', async () => {
          port += 1;
          await edge.applyRelay('nodes', spec(port, { workload: { hostNetwork: true } }));
          await edge.expectCondition('nodes', 'Programmed', 'True', 'Programmed');
          return timesForbidden(`/namespaces/${edge.namespace}`) >= 2;
        });
      });
      const logged = (): string[] =>
        installed.messages.filter((message) => message.includes('not allowed to read namespaces'));
      await eventually('log', () => logged().length > 0);
      expect(logged()).to.have.lengthOf(1);
      await edge.write('DELETE', 'realmrelays/nodes');
    });

    it('reports what it is not allowed to do, and goes on when it is: update on realmrelays/finalizers', async () => {
      await without('realmrelays/finalizers', async () => {
        await eventually('the permission is gone', async () => {
          await edge.write('DELETE', 'configmaps/web-config').catch(() => undefined);
          return timesForbidden('/configmaps/web-config') > 0;
        });
        const { message } = await edge.expectCondition('web', 'Programmed', 'False', 'ApplyFailed');
        expect(message).to.include('cannot set blockOwnerDeletion');
      });
      await edge.expectCondition('web', 'Programmed', 'True', 'Programmed');
    });
  });
}

const clusterWide: Scope = {
  install: async (installed) => {
    const policies = ['policy', 'requester', 'operator'].map((file) => `config/admission/${file}.yaml`);
    const crds = ['realmrelays', 'realmgatewayparameters', 'realmtrafficpolicies'].map(
      (plural) => `crds/${plural}.yaml`,
    );
    for (const manifest of [...crds, 'config/rbac.yaml', ...policies])
      await installed.kubectl(['apply', '--server-side', '--filename', manifest]);
    if (hasGatewayCrds) await installKinds(installed.controlPlane);
    return ['--leader-elect'];
  },
  role: () => `${rbac}/clusterroles/${name}`,
  isConfined: false,
};

describeRights('operator with the rights of config/rbac.yaml', clusterWide, (installed) => {
  it('looks after every namespace', async () => {
    const [, b, c] = installed().edges;
    for (const edge of [b, c]) {
      await edge.applyRelay('web', spec());
      await edge.expectCondition('web', 'Programmed', 'True', 'Programmed');
    }
    expect(installed().audit.forbidden(name)).to.deep.equal([]);
  });

  const ofGateways = hasGatewayCrds ? it : it.skip;
  ofGateways('serves Gateways, and uses every right of the two roles for that', async () => {
    const { controlPlane, audit, edges } = installed();
    const edge = new GatewayEdge(controlPlane, edges[0].namespace);
    await edge.applyClass();
    await edge.applyBackend('pg', ['192.0.2.1']);
    await edge.applyBackend('bind', ['192.0.2.53'], 'UDP');
    await edge.applyGateway([
      { name: 'db', port: 5432, protocol: 'TCP' },
      { name: 'dns', port: 53, protocol: 'UDP' },
      { name: 'tls', port: 443, protocol: 'TLS', tls: { mode: 'Passthrough' } },
    ]);
    await edge.applyRoute('TCPRoute', 'pg', [{ name: 'pg' }]);
    await edge.applyRoute('UDPRoute', 'bind', [{ name: 'bind' }]);
    await edge.applyRoute('TLSRoute', 'pg', [{ name: 'pg' }], {
      hostnames: ['a.example'],
    });
    await edge.expectRemotes('192.0.2.1:8080', '192.0.2.1:8080', '192.0.2.53:8080');
    await edge.applyPolicy('idle', ['TCPRoute/pg'], { balance: 'IPHash' });
    await edge.expectReasons('idle', 'Accepted');
    await edge.expectOfGateway('Programmed', 'False', 'Pending');
    for (const route of ['tcproutes/pg', 'udproutes/bind', 'tlsroutes/pg'])
      await edge.expectParents(route, ({ length }) => length === 1);
    const role = (suffix: string): string => `${rbac}/clusterroles/${name}-${suffix}`;
    await eventually(
      'every right to classes used',
      async () => (await installed().unused(role('classes'))).length === 0,
    );
    const unused = (): Promise<string[]> => installed().unused(role('gateways'));
    await eventually('every right to Gateways used but one', async () => (await unused()).length <= 1);
    expect(await unused()).to.deep.equal([unseenOfGateways]);
    expect(audit.forbidden(name)).to.deep.equal([]);
  });

  it('has a token that runs nothing privileged in kube-system', async () => {
    const thief = installed().controlPlane.as(`system:serviceaccount:${releaseNamespace}:${name}`);
    const url = '/apis/apps/v1/namespaces/kube-system/daemonsets?dryRun=All';
    const { status, text } = await thief.request('POST', url, privilegedDaemonSet);
    expect(text).to.include('container \\"shell\\": securityContext.privileged is true');
    expect(status).to.equal(403);
  });
});

describeWithHelm('chart with watchNamespaces', (helm) => {
  const someNamespaces: Scope = {
    install: async (installed) => {
      const [a, b] = installed.edges;
      const all = await rendered(helm, { watchNamespaces: [a.namespace, b.namespace] });
      const manifests = all.filter(({ metadata }) => !JSON.stringify(metadata).includes('helm.sh/hook'));
      const yaml = manifests.map((manifest) => dump(manifest)).join('---\n');
      await installed.kubectl(['apply', '--server-side', '--filename', '-'], yaml);
      const [, ...flags] = operatorContainer(manifests).args;
      return flags.filter((flag) => !flag.startsWith('--admin='));
    },
    role: (namespace) => `${rbac}/namespaces/${namespace}/roles/${name}`,
    isConfined: true,
  };

  describeRights('operator with the Roles of those', someNamespaces, (installed) => {
    it('looks after each, and asks for nothing of any other', async () => {
      const { edges, audit } = installed();
      const [a, b, c] = edges;
      for (const edge of [c, b]) await edge.applyRelay('web', spec(443, { workload: { hostNetwork: true } }));
      await b.expectCondition('web', 'Programmed', 'True', 'Programmed');
      await b.write('DELETE', 'configmaps/web-config');
      await b.expect('configmaps/web-config');
      for (const child of childrenOfWeb) expect(await c.find(child)).to.equal(undefined);
      expect((await c.find('realmrelays/web'))?.status).to.deep.equal({ observedGeneration: -1 });
      const asked = [a.namespace, b.namespace, releaseNamespace];
      expect([...audit.namespaces(name)]).to.have.members(asked);
      expect(audit.forbidden(name)).to.deep.equal([]);
    });
  });
});

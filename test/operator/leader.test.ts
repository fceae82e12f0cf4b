import { mkdtempSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'chai';
import { KubeConfig } from '@kubernetes/client-node';
import { kubeConfigLoader } from '../../src/kube/kube-config.ts';
import { type ControlPlane, startControlPlane } from '../cluster/control-plane.ts';
import { eventually } from '../cluster/eventually.ts';
import { describeWithCluster } from '../cluster/shared.ts';
import { AuditLog, type Write } from './audit-log.ts';
import { Edge, spec } from './edge.ts';
import { OperatorProcess } from './operator-process.ts';

const leaseSeconds = 5;
/** A lease that nobody renews is taken at the next look after its time: two fifteenths of it. */
const takeOverMs = leaseSeconds * 1000 * (1 + 2 / 15) + 1_500;
const timeoutMs = 60_000;
const home = 'realm-operator-system';
const names = ['operator-a', 'operator-b'];

/** Two operators as processes, each with a service account of its own, so that the audit log tells them apart. */
describeWithCluster('two operators', function () {
  let folder: string;
  let audit: AuditLog;
  let own: ControlPlane;
  let edge: Edge;
  let operators: Map<string, OperatorProcess>;
  /** Edits the RealmRelay without end, so that there is always something to write. */
  let editing: Promise<void>;
  let isOver: boolean;

  before(async function () {
    this.timeout(120_000);
    folder = mkdtempSync(join(tmpdir(), 'realm-operator-leader-'));
    audit = new AuditLog();
    own = await startControlPlane({
      manifests: ['crds/realmrelays.yaml', 'config/namespace.yaml', 'config/rbac.yaml'],
      controllerManager: false,
      apiServerFlags: audit.flags,
    });
    for (const name of names) await makeAccount(name);
  });

  beforeEach(async () => {
    edge = new Edge(own, await own.namespace());
    operators = new Map();
    isOver = false;
    editing = edit();
  });

  afterEach(async () => {
    isOver = true;
    await editing;
    await Promise.all([...operators.values()].map((operator) => operator.end()));
    await own.request('DELETE', `/apis/coordination.k8s.io/v1/namespaces/${home}/leases/realm-operator`);
  });

  after(async function () {
    this.timeout(30_000);
    await own.stop();
    await audit.remove();
    await rm(folder, { recursive: true });
  });

  async function edit(): Promise<void> {
    for (let port = 8_000; !isOver; port = port === 8_999 ? 8_000 : port + 1) {
      await edge.applyRelay('web', spec(port));
      await delay(20);
    }
  }

  /** A service account with the rights of config/rbac.yaml, and a kubeconfig as it. */
  async function makeAccount(name: string): Promise<void> {
    const accounts = `/api/v1/namespaces/${home}/serviceaccounts`;
    await own.request('POST', accounts, { metadata: { name } });
    const rbac = '/apis/rbac.authorization.k8s.io/v1';
    const subjects = [{ kind: 'ServiceAccount', name, namespace: home }];
    const bound = { metadata: { name }, subjects };
    const roleRef = { apiGroup: 'rbac.authorization.k8s.io' };
    await own.request('POST', `${rbac}/clusterrolebindings`, {
      ...bound,
      roleRef: { ...roleRef, kind: 'ClusterRole', name: 'realm-operator' },
    });
    await own.request('POST', `${rbac}/namespaces/${home}/rolebindings`, {
      ...bound,
      roleRef: { ...roleRef, kind: 'Role', name: 'realm-operator-lease' },
    });
    const { json } = await own.request('POST', `${accounts}/${name}/token`, { spec: {} });
    const { token } = (json() as { status: { token: string } }).status;
    const cluster = kubeConfigLoader({ file: own.kubeconfig })().getCurrentCluster();
    if (cluster === null) throw new Error('no cluster');
    const config = new KubeConfig();
    config.loadFromClusterAndUser(cluster, { name, token });
    writeFileSync(join(folder, name), config.exportConfig());
  }

  function start(name: string): OperatorProcess {
    const operator = new OperatorProcess([
      `--kubeconfig=${join(folder, name)}`,
      `--namespace=${edge.namespace}`,
      '--leader-elect',
      `--lease-namespace=${home}`,
      `--lease-seconds=${String(leaseSeconds)}`,
    ]);
    operators.set(name, operator);
    return operator;
  }

  async function startBoth(): Promise<[OperatorProcess, OperatorProcess]> {
    const a = start('operator-a');
    await a.logged('lease acquired');
    const b = start('operator-b');
    await b.logged('operator ready');
    await written('operator-a');
    return [a, b];
  }

  /** Resolves once `name` has written something besides its lease, after what was written up to now. */
  async function written(name: string): Promise<void> {
    const before = audit.writes(names).length;
    await eventually(`${name} writes`, () =>
      work(audit.writes(names).slice(before)).some(({ user }) => user === name),
    );
  }

  function work(writes: readonly Write[]): Write[] {
    return writes.filter(({ resource }) => resource !== 'leases');
  }

  /** The writes that came or were answered while another held the lease than he who sent them. */
  function stray(): Write[] {
    const writes = audit.writes(names);
    const terms = writes.filter(({ resource }) => resource === 'leases');
    const holder = (micros: number): string | undefined =>
      terms.findLast(({ toMicros }) => toMicros <= micros)?.user;
    return work(writes).filter(
      ({ user, fromMicros, toMicros }) => holder(fromMicros) !== user || holder(toMicros) !== user,
    );
  }

  it('one works, and the other takes over within the lease when it is killed', async () => {
    const [a, b] = await startBoth();
    await eventually('ten more writes', () => work(audit.writes(names)).length > 10);
    expect(new Set(work(audit.writes(names)).map(({ user }) => user))).to.deep.equal(new Set(['operator-a']));
    expect(b.messages).not.to.include('lease acquired');
    await a.end();
    const killedMs = performance.now();
    await written('operator-b');
    expect(performance.now() - killedMs).to.be.below(takeOverMs);
    expect(stray()).to.deep.equal([]);
  }).timeout(timeoutMs);

  it('never write both: one is stopped for twice the lease and goes on', async () => {
    const [a] = await startBoth();
    a.kill('SIGSTOP');
    const stoppedMs = performance.now();
    await written('operator-b');
    await eventually('twice the lease', () => performance.now() - stoppedMs > 2 * leaseSeconds * 1000);
    a.kill('SIGCONT');
    expect(await a.ended, 'it gives up, to be started anew').to.equal(1);
    await written('operator-b');
    expect(a.messages).to.include('lease lost');
    expect(stray()).to.deep.equal([]);
  }).timeout(timeoutMs);

  it('hand over at once when the first is asked to end', async () => {
    const [a] = await startBoth();
    a.kill('SIGTERM');
    const askedMs = performance.now();
    await written('operator-b');
    expect(performance.now() - askedMs).to.be.below(3_000);
    expect(await a.ended).to.equal(0);
    expect(stray()).to.deep.equal([]);
  }).timeout(timeoutMs);
});

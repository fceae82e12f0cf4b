import { mkdtempSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type ControlPlane, startControlPlane } from '../cluster/control-plane.ts';
import { eventually } from '../support/eventually.ts';
import { accountKubeConfig } from './account.ts';
import { AuditLog, type Write } from './audit-log.ts';
import { Edge, spec } from './edge.ts';
import { OperatorProcess } from './operator-process.ts';

const home = 'realm-operator-system';
const names = ['operator-a', 'operator-b'] as const;

type Name = (typeof names)[number];

/** Its holder has two thirds of it for a renewal: more than any process waits for its turn on a busy machine. */
const defaultLeaseSeconds = 10;

/** How both are started. */
type StartOptions = {
  /** Of the second one's Node, e.g. such as give it another clock. */
  readonly nodeFlags?: readonly string[];
  /** How long a silent holder keeps the lease; it is renewed after two fifteenths of that. */
  readonly leaseSeconds?: number;
};

/** A host by which an operator reaches the API server, where that is not the one of its certificate. */
export type Hosts = Partial<Record<Name, string>>;

/**
 * Two operators as processes on a control plane of their own, each with a service account of its own, so that the audit log
 * tells them apart. A RealmRelay is edited without end, so that there is always something to write.
 */
export class TwoOperators {
  readonly controlPlane: ControlPlane;
  readonly #folder = mkdtempSync(join(tmpdir(), 'realm-operator-leader-'));
  readonly #audit: AuditLog;
  #operators = new Map<Name, OperatorProcess>();
  #edge: Edge;
  #editing: Promise<void> = Promise.resolve();
  #isOver = true;
  /** Writes before the test. */
  #earlier = 0;

  private constructor(controlPlane: ControlPlane, audit: AuditLog) {
    this.controlPlane = controlPlane;
    this.#audit = audit;
    this.#edge = new Edge(controlPlane, 'default');
  }

  /** Starts the control plane. */
  static async prepare(apiServerFlags: readonly string[] = [], hosts: Hosts = {}): Promise<TwoOperators> {
    const audit = new AuditLog();
    const controlPlane = await startControlPlane({
      manifests: ['crds/realmrelays.yaml', 'config/namespace.yaml', 'config/rbac.yaml'],
      controllerManager: false,
      apiServerFlags: [...audit.flags, ...apiServerFlags],
    });
    const two = new TwoOperators(controlPlane, audit);
    for (const name of names) await two.#makeAccount(name, hosts[name]);
    return two;
  }

  /** Begins a test: a namespace of its own, in which the edits begin. */
  async begin(): Promise<void> {
    this.#edge = new Edge(this.controlPlane, await this.controlPlane.namespace());
    this.#isOver = false;
    this.#earlier = this.#audit.writes(names).length;
    this.#editing = this.#edit();
  }

  /** Ends a test: the edits and the operators, whatever they are doing. */
  async end(): Promise<void> {
    this.#isOver = true;
    await this.#editing;
    await Promise.all([...this.#operators.values()].map((operator) => operator.end()));
    this.#operators = new Map();
    const lease = `/apis/coordination.k8s.io/v1/namespaces/${home}/leases/realm-operator`;
    await this.controlPlane.request('DELETE', lease);
  }

  /** Ends the control plane. */
  async stop(): Promise<void> {
    await this.controlPlane.stop();
    await this.#audit.remove();
    await rm(this.#folder, { recursive: true });
  }

  /** Starts both, and resolves when the first works and the other one stands by. */
  async startBoth({ nodeFlags = [], leaseSeconds = defaultLeaseSeconds }: StartOptions = {}): Promise<
    [OperatorProcess, OperatorProcess]
  > {
    const a = this.#start('operator-a', leaseSeconds);
    await a.logged('lease acquired');
    const b = this.#start('operator-b', leaseSeconds, nodeFlags);
    await b.logged('operator ready');
    await this.written('operator-a');
    return [a, b];
  }

  /** Starts the first with a lease, and the second as another installation, which has none. Resolves when that sees the first. */
  async startApart(): Promise<void> {
    const a = this.#start('operator-a', defaultLeaseSeconds);
    await a.logged('lease acquired');
    await this.written('operator-a');
    const b = this.#start('operator-b', undefined);
    await b.logged('another installation serves RealmRelays, leaving them to it');
  }

  /** Which installation serves the RealmRelay, once that is in its status. */
  async installation(): Promise<string | undefined> {
    const { status } = await this.#edge.expect(
      'realmrelays/web',
      (seen) => seen.status?.operator !== undefined,
    );
    return status?.operator;
  }

  /** Resolves once `name` has written something besides its lease, after what was written up to now. */
  async written(name: Name): Promise<void> {
    const before = this.#audit.writes(names).length;
    await eventually(`${name} writes`, () =>
      work(this.#audit.writes(names).slice(before)).some(({ user }) => user === name),
    );
  }

  /** Resolves once `name` has renewed its lease so many times more. */
  async renewed(name: Name, times: number): Promise<void> {
    const renewals = (): number =>
      this.#audit.writes([name]).filter(({ resource }) => resource === 'leases').length;
    const before = renewals();
    await eventually(`${name} renews its lease`, () => renewals() >= before + times);
  }

  /** What was written besides leases. */
  work(): Write[] {
    return work(this.#audit.writes(names));
  }

  /** The writes of this test that came or were answered while another held the lease than the one that sent them. */
  stray(): Write[] {
    const writes = this.#audit.writes(names);
    const terms = writes.filter(({ resource }) => resource === 'leases');
    const holder = (micros: number): string | undefined =>
      terms.findLast(({ toMicros }) => toMicros <= micros)?.user;
    return work(writes.slice(this.#earlier)).filter(
      ({ user, fromMicros, toMicros }) => holder(fromMicros) !== user || holder(toMicros) !== user,
    );
  }

  async #edit(): Promise<void> {
    for (let port = 8_000; !this.#isOver; port = port === 8_999 ? 8_000 : port + 1) {
      await this.#edge.applyRelay('web', spec(port));
      await delay(20);
    }
  }

  /** A service account with the rights of config/rbac.yaml, and a kubeconfig as it. */
  async #makeAccount(name: Name, host: string | undefined): Promise<void> {
    const accounts = `/api/v1/namespaces/${home}/serviceaccounts`;
    await this.controlPlane.request('POST', accounts, { metadata: { name } });
    const rbac = '/apis/rbac.authorization.k8s.io/v1';
    const subjects = [{ kind: 'ServiceAccount', name, namespace: home }];
    const bound = { metadata: { name }, subjects };
    const roleRef = { apiGroup: 'rbac.authorization.k8s.io' };
    await this.controlPlane.request('POST', `${rbac}/clusterrolebindings`, {
      ...bound,
      roleRef: { ...roleRef, kind: 'ClusterRole', name: 'realm-operator' },
    });
    await this.controlPlane.request('POST', `${rbac}/namespaces/${home}/rolebindings`, {
      ...bound,
      roleRef: { ...roleRef, kind: 'Role', name: 'realm-operator-lease' },
    });
    const config = await accountKubeConfig(this.controlPlane, { namespace: home, name }, host);
    writeFileSync(join(this.#folder, name), config.exportConfig());
  }

  #start(name: Name, leaseSeconds: number | undefined, nodeFlags: readonly string[] = []): OperatorProcess {
    const flags = [`--kubeconfig=${join(this.#folder, name)}`, `--namespace=${this.#edge.namespace}`];
    if (leaseSeconds !== undefined)
      flags.push('--leader-elect', `--lease-namespace=${home}`, `--lease-seconds=${String(leaseSeconds)}`);
    const operator = new OperatorProcess(flags, { nodeFlags });
    this.#operators.set(name, operator);
    return operator;
  }
}

function work(writes: readonly Write[]): Write[] {
  return writes.filter(({ resource }) => resource !== 'leases');
}

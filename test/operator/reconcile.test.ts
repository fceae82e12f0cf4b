import { expect } from 'chai';
import type { RealmRelayStatus } from '../../src/api/schema/realm-relay.ts';
import { awaitChange, resyncAfter, retryAfter } from '../../src/controller/action.ts';
import { ApplyFailedError, RefusedError, ResourceConflictError } from '../../src/kube/apply-errors.ts';
import type { Applied } from '../../src/kube/apply.ts';
import type { KubeEvent } from '../../src/kube/events.ts';
import { KubeError } from '../../src/kube/kube-error.ts';
import type { KubeObject } from '../../src/kube/object.ts';
import type { StackAnswer } from '../../src/operator/cluster-stack.ts';
import type { RelayObject } from '../../src/operator/kinds.ts';
import type { RelayPod } from '../../src/operator/pods.ts';
import { reconcile, type ReconcileCluster, type ReconcileContext } from '../../src/operator/reconcile.ts';
import type { PodReports } from '../../src/operator/relay-poller.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { relayPod } from './relay-pods.ts';
import { realmRelay } from '../support/realm-relays.ts';

/** A cluster in memory that does to the objects of one kind what a test says. */
class FakeCluster implements ReconcileCluster {
  object: RelayObject | undefined;
  apply: (desired: KubeObject) => Promise<Applied>;
  readonly applied: string[] = [];
  readonly deleted: string[] = [];
  readonly events: string[] = [];
  readonly statuses: RealmRelayStatus[] = [];
  readonly owned: KubeObject[] = [];
  readonly pods: RelayPod[] = [];
  readonly annotated: string[] = [];
  statusFailures = 0;

  constructor(kind = '', fault: (desired: KubeObject) => Promise<Applied> = created) {
    const metadata = { name: 'web', namespace: 'edge', uid: 'u', generation: 1 };
    const { apiVersion, kind: relayKind, spec } = realmRelay();
    this.object = { apiVersion, kind: relayKind, spec, metadata };
    this.apply = (desired) => {
      this.applied.push(desired.kind);
      return desired.kind === kind ? fault(desired) : created(desired);
    };
  }

  relay = (): RelayObject | undefined => this.object;
  observe = (): Promise<undefined> => Promise.resolve(undefined);
  ownedBy = (): KubeObject[] => this.owned;
  relaysOnHostNetwork = (): never[] => [];
  undoneStatus = (): undefined => undefined;
  podSecurity = (): Promise<undefined> => Promise.resolve(undefined);
  keepReplicas = (): Promise<void> => Promise.resolve();
  podRefusal = (): Promise<undefined> => Promise.resolve(undefined);
  watchProblemsOf = (): never[] => [];
  stackOf = (): Promise<StackAnswer> => Promise.resolve({ stack: 'single' });
  podsOf = (): RelayPod[] => this.pods;
  annotatePod = (pod: RelayPod, hash: string): Promise<number> => {
    this.annotated.push(`${pod.metadata.name} ${hash.slice(0, 8)}`);
    return Promise.resolve(0);
  };
  delete = (object: KubeObject): Promise<void> => {
    this.deleted.push(object.metadata.name);
    return Promise.resolve();
  };
  recordEvent = ({ reason, note }: KubeEvent): void => {
    this.events.push(`${reason}: ${note}`);
  };
  writeStatus = (_object: RelayObject, status: RealmRelayStatus): Promise<void> => {
    this.statuses.push(status);
    return Promise.resolve();
  };
}

function created(object: KubeObject): Promise<Applied> {
  return Promise.resolve({ outcome: 'created', object });
}

function workload(kind: string, status: object): KubeObject {
  const object = {
    apiVersion: 'apps/v1',
    kind,
    metadata: { name: 'web', namespace: 'edge', uid: kind },
    status,
  };
  return object;
}

function kubeError(status: number, retryAfterMs?: number): KubeError {
  return new KubeError({ status, reason: '', message: 'no', causes: [], retryAfterMs });
}

/** What is known of Pods: nothing, unless a test says something. */
function fakePoller(reports: PodReports = new Map()): ReconcileContext['poller'] & { polled: string[] } {
  const polled: string[] = [];
  return {
    polled,
    reports: () => reports,
    poll: (_key, { pods }) => polled.push(...pods.map(({ address }) => address)),
    forget: (key) => polled.push(`forget ${key}`),
  };
}

/** What the reconcile of `cluster` came to: its action, or its error. */
function run(cluster: FakeCluster, poller = fakePoller(), failures = 0): Promise<unknown> {
  const context = {
    cluster,
    poller,
    installations: { own: 'operators/test', left: () => undefined },
    platform: {
      relayImage: 'x',
      relayEngine: 'auto' as const,
      operatorNamespace: 'x',
      deniedDestinations: [],
    },
    now: () => new Date(0),
    log: createLogger('off'),
    failures,
    onStatusFailure: () => {
      cluster.statusFailures += 1;
    },
  };
  return reconcile('edge/web', context).catch((error: unknown) => error);
}

/** The reason of Programmed in the last status that was written. */
function programmed({ statuses }: FakeCluster): string | undefined {
  return statuses.at(-1)?.conditions?.find(({ type }) => type === 'Programmed')?.reason;
}

describe('reconcile', () => {
  it('applies what is needed in its order, writes the status, and comes back in ten hours', async () => {
    const cluster = new FakeCluster();
    expect(await run(cluster)).to.deep.equal(resyncAfter(36_000_000));
    expect(cluster.applied).to.deep.equal(['ConfigMap', 'Service', 'Deployment']);
    expect(programmed(cluster)).to.equal('Programmed');
    expect(cluster.events, 'that a new one got its objects is no news').to.deep.equal([]);
  });

  it('records an event about objects that were replaced', async () => {
    const cluster = new FakeCluster();
    await run(cluster);
    const [status] = cluster.statuses;
    if (cluster.object !== undefined && status !== undefined) cluster.object = { ...cluster.object, status };
    await run(cluster);
    expect(cluster.events).to.deep.equal([
      'Created: Created ConfigMap web-config, Service web, Deployment web',
    ]);
  });

  it('looks again in ten minutes at a relay of which there is something to say', async () => {
    const cluster = new FakeCluster();
    const { object } = cluster;
    if (object !== undefined) cluster.object = { ...object, spec: { ...(object.spec as object), typo: 1 } };
    expect(await run(cluster)).to.deep.equal(resyncAfter(600_000));
  });

  it('does nothing for a RealmRelay that is gone, or goes', async () => {
    const cluster = new FakeCluster();
    const { object } = cluster;
    cluster.object = undefined;
    expect(await run(cluster)).to.equal(awaitChange);
    if (object !== undefined)
      cluster.object = { ...object, metadata: { ...object.metadata, deletionTimestamp: 't' } };
    expect(await run(cluster)).to.equal(awaitChange);
    expect([...cluster.applied, ...cluster.statuses]).to.deep.equal([]);
  });

  it('deletes what it owns and no longer wants, unless it goes already', async () => {
    const cluster = new FakeCluster();
    const metadata = { name: 'old', namespace: 'edge', uid: 'o' };
    cluster.owned.push({ apiVersion: 'v1', kind: 'ConfigMap', metadata });
    cluster.owned.push({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { ...metadata, name: 'going', deletionTimestamp: 't' },
    });
    cluster.owned.push({ apiVersion: 'v1', kind: 'Service', metadata: { ...metadata, name: 'web' } });
    await run(cluster);
    expect(cluster.deleted).to.deep.equal(['old']);
  });

  it('keeps the workload of another kind while the wanted one is not ready', async () => {
    const cluster = new FakeCluster();
    cluster.owned.push(workload('DaemonSet', {}));
    await run(cluster);
    expect(cluster.deleted).to.deep.equal([]);
    cluster.owned.push(workload('Deployment', { replicas: 1, updatedReplicas: 1, readyReplicas: 1 }));
    await run(cluster);
    expect(cluster.deleted).to.deep.equal(['web']);
  });

  it('deletes what is no longer wanted although the Service is refused', async () => {
    const service: KubeObject = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'web' } };
    const cluster = new FakeCluster('Service', () =>
      Promise.reject(new RefusedError(service, kubeError(422))),
    );
    const metadata = { name: 'web', namespace: 'edge', uid: 'p' };
    cluster.owned.push({
      apiVersion: 'policy/v1',
      kind: 'PodDisruptionBudget',
      metadata: { ...metadata, name: 'old' },
    });
    cluster.owned.push({ ...service, metadata });
    await run(cluster);
    expect(cluster.deleted).to.deep.equal(['old']);
    expect(programmed(cluster)).to.equal('InvalidService');
  });

  const refused = new RefusedError(
    { apiVersion: 'v1', kind: 'Deployment', metadata: { name: 'web' } },
    kubeError(422),
  );
  const stuck = new ApplyFailedError(
    { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web' } },
    'it did not answer in time',
    new Error('timeout'),
  );
  const cases: {
    error: Error;
    kind: string;
    end: unknown;
    reason: string | undefined;
    applied: number;
    why: string;
  }[] = [
    {
      error: new ResourceConflictError({
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: 'web-config' },
      }),
      kind: 'ConfigMap',
      end: retryAfter(1_000),
      reason: 'ResourceConflict',
      applied: 1,
      why: 'a foreign ConfigMap is mounted by nobody; nobody tells us when it goes',
    },
    {
      error: refused,
      kind: 'Deployment',
      end: refused,
      reason: 'InvalidTemplate',
      applied: 3,
      why: 'a refusal is told, then retried with backoff; the Service does not wait for it',
    },
    {
      error: kubeError(403),
      kind: 'Service',
      end: 403,
      reason: 'ApplyFailed',
      applied: 3,
      why: 'a quota or a permission is told, then retried',
    },
    {
      error: stuck,
      kind: 'Deployment',
      end: stuck,
      reason: 'ApplyFailed',
      applied: 3,
      why: 'that the API server fails over it is told, then retried with backoff',
    },
    {
      error: kubeError(409),
      kind: 'Service',
      end: 409,
      reason: undefined,
      applied: 3,
      why: 'somebody was faster: no word of it',
    },
    {
      error: kubeError(503),
      kind: 'Service',
      end: 503,
      reason: undefined,
      applied: 3,
      why: 'the API server has a bad moment: no word of it',
    },
    {
      error: kubeError(429, 7_000),
      kind: 'Service',
      end: retryAfter(7_000),
      reason: undefined,
      applied: 3,
      why: 'the API server says when to come back',
    },
  ];
  for (const { error, kind, end, reason, applied, why } of cases) {
    it(why, async () => {
      const cluster = new FakeCluster(kind, () => Promise.reject(error));
      const ended = await run(cluster);
      expect(ended instanceof KubeError ? ended.status : ended).to.deep.equal(end);
      expect(programmed(cluster)).to.equal(reason);
      expect(cluster.applied).to.have.lengthOf(applied);
    });
  }

  const passing: { error: Error; told: string; why: string }[] = [
    { error: kubeError(409), told: 'no', why: 'somebody is faster every time' },
    { error: kubeError(503), told: 'no', why: 'the API server is overloaded for longer' },
    { error: kubeError(429, 7_000), told: 'no', why: 'the API server has no time for longer' },
    {
      error: Object.assign(new AggregateError([]), { code: 'ECONNREFUSED' }),
      told: 'The operator could not finish: ECONNREFUSED; it retries.',
      why: 'a proxy refuses this request alone',
    },
    {
      error: new TypeError('x is not a function'),
      told: 'The operator could not finish: x is not a function; it retries.',
      why: 'a fault of the operator',
    },
  ];
  for (const { error, told, why } of passing) {
    it(`reports what is not over at the second try: ${why}`, async () => {
      const cluster = new FakeCluster('ConfigMap', () => Promise.reject(error));
      await run(cluster, fakePoller(), 1);
      expect(programmed(cluster)).to.equal('ApplyFailed');
      const conditions = cluster.statuses.at(-1)?.conditions ?? [];
      expect(conditions.find(({ type }) => type === 'Programmed')).to.include({
        message: told,
        observedGeneration: 1,
      });
    });
  }

  const forbidden = new ApplyFailedError(
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'old' } },
    'ask the security team',
    kubeError(403),
    'delete',
  );

  it('reports what it may not delete, and deletes the rest', async () => {
    const cluster = new FakeCluster();
    const metadata = { namespace: 'edge', uid: 'o' };
    for (const name of ['old', 'older'])
      cluster.owned.push({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { ...metadata, name } });
    const { delete: deleted } = cluster;
    cluster.delete = (object) =>
      object.metadata.name === 'old' ? Promise.reject(forbidden) : deleted(object);
    expect(await run(cluster)).to.equal(forbidden);
    expect(cluster.deleted).to.deep.equal(['older']);
    const { conditions = [], configHash } = cluster.statuses.at(-1) ?? {};
    expect(conditions.find(({ type }) => type === 'Programmed')?.message).to.equal(
      'The API server could not delete ConfigMap "old": ask the security team; the operator retries.',
    );
    expect(configHash, 'what was applied before').to.be.a('string');
    expect(cluster.events.some((event) => event.startsWith('ApplyFailed: '))).to.equal(true);
  });

  it('applies what it can although the autoscaler that it no longer wants stays', async () => {
    const cluster = new FakeCluster();
    const metadata = { name: 'web', namespace: 'edge', uid: 'h' };
    cluster.owned.push({ apiVersion: 'autoscaling/v2', kind: 'HorizontalPodAutoscaler', metadata });
    cluster.delete = () => Promise.reject(forbidden);
    await run(cluster);
    expect(cluster.applied, 'two would set the number of Pods').to.deep.equal(['ConfigMap', 'Service']);
    expect(programmed(cluster)).to.equal('ApplyFailed');
  });

  it('reports that it may not annotate a Pod, with what the Pods run', async () => {
    const cluster = new FakeCluster();
    cluster.pods.push(relayPod('a'), relayPod('b'));
    const tried: string[] = [];
    cluster.annotatePod = ({ metadata: { name } }) => {
      tried.push(name);
      return Promise.reject(forbidden);
    };
    const report = { configHash: 'old', configProblem: '', unready: [] };
    const known = new Map(['a', 'b'].map((uid) => [uid, { report, failures: 0 }]));
    expect(await run(cluster, fakePoller(known))).to.equal(forbidden);
    expect(tried).to.deep.equal(['a', 'b']);
    expect(programmed(cluster)).to.equal('ApplyFailed');
    expect(cluster.statuses.at(-1)).to.include({ updatedReplicas: 0, observedGeneration: 1 });
  });

  it('counts a status that cannot be written, retries, and records its events all the same', async () => {
    const cluster = new FakeCluster('ConfigMap', () => Promise.reject(forbidden));
    const refusal = kubeError(403);
    cluster.writeStatus = () => Promise.reject(refusal);
    expect(await run(cluster)).to.equal(forbidden);
    expect(cluster.statusFailures).to.equal(1);
    expect(cluster.events.map((event) => event.split(':')[0])).to.deep.equal(['ApplyFailed']);
    cluster.apply = created;
    expect(await run(cluster)).to.equal(refusal);
  });

  it('records no event of a status that someone else was faster to change', async () => {
    const cluster = new FakeCluster('ConfigMap', () => Promise.reject(forbidden));
    cluster.writeStatus = () => Promise.reject(kubeError(409));
    await run(cluster);
    expect([cluster.statusFailures, ...cluster.events]).to.deep.equal([0]);
  });

  it('passes the configuration on to a Pod that runs another, and has it polled', async () => {
    const cluster = new FakeCluster();
    cluster.pods.push(relayPod('a'));
    const report = { configHash: 'old', configProblem: '', unready: [] };
    const poller = fakePoller(new Map([['a', { report, failures: 0 }]]));
    await run(cluster, poller);
    const [{ configHash = '' } = {}] = cluster.statuses;
    expect(cluster.annotated).to.deep.equal([`a ${configHash.slice(0, 8)}`]);
    expect(poller.polled).to.deep.equal(['192.0.2.10']);
  });

  it('passes nothing on while paused', async () => {
    const cluster = new FakeCluster();
    const { object } = cluster;
    if (object !== undefined)
      cluster.object = { ...object, spec: { ...(object.spec as object), paused: true } };
    cluster.pods.push(relayPod('a'));
    const report = { configHash: 'old', configProblem: '', unready: [] };
    await run(cluster, fakePoller(new Map([['a', { report, failures: 0 }]])));
    expect(cluster.annotated).to.deep.equal([]);
  });

  it('forgets what it knew of the Pods of a RealmRelay that is gone', async () => {
    const cluster = new FakeCluster();
    cluster.object = undefined;
    const poller = fakePoller();
    await run(cluster, poller);
    expect(poller.polled).to.deep.equal(['forget edge/web']);
  });

  it('waits for an object of its name that is still being deleted', async () => {
    const cluster = new FakeCluster('Deployment', (object) =>
      Promise.resolve({ outcome: 'terminating', object }),
    );
    expect(await run(cluster)).to.deep.equal(resyncAfter(30_000));
    expect(programmed(cluster)).to.equal('Terminating');
    expect(cluster.events).to.deep.equal([]);
  });
});

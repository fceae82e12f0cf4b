import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import type { RealmRelayStatus } from '../../src/api/schema/realm-relay.ts';
import { fetchRelayReport, type RelayReport } from '../../src/operator/relay-client.ts';
import { eventually } from '../support/eventually.ts';
import { describeWithCluster } from '../cluster/shared.ts';
import { JumpingClock } from '../support/jumping-clock.ts';
import { Edge, type Seen, spec } from './edge.ts';
import { settledWrites } from './writes.ts';

const hashAnnotation = 'realm-operator.dev/config-hash';
const fault = { name: 'https', message: 'AddressInUse: TCP [::]:9443: address in use: choose another port' };

/** There is no kubelet here: the tests make Pods ready, and answer for the relays in them. */
describeWithCluster('operator and relay Pods', function (cluster) {
  let edge: Edge;
  let clock: JumpingClock;
  /** What the relay at an address answers; it takes over what is in the ConfigMap, unless a test says otherwise. */
  let relays: Map<string, RelayReport>;

  before(function () {
    if (!cluster().hasControllerManager) this.skip(); // nobody makes Pods
  });

  beforeEach(async () => {
    relays = new Map();
    edge = new Edge(cluster(), await cluster().namespace());
    edge.clock = clock = new JumpingClock();
    edge.askRelay = (address) => {
      const report = relays.get(address);
      return report === undefined ? Promise.reject(new Error('nobody listens')) : Promise.resolve(report);
    };
    await edge.start();
  });

  afterEach(() => edge.stop());

  async function pods(count: number): Promise<Seen[]> {
    return eventually(`${String(count)} Pods`, async () => {
      const { items } = (await edge.find('pods')) as unknown as { items: Seen[] };
      return items.length === count && items.toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
    });
  }

  async function statusOf(name: string): Promise<RealmRelayStatus> {
    return (await edge.find(`realmrelays/${name}`))?.status ?? {};
  }

  /** As kubelet does: the Pod has an address, and is ready or not. */
  async function setReady({ metadata: { name } }: Seen, podIP: string, ready = true): Promise<void> {
    const status = ready ? 'True' : 'False';
    const conditions = [{ type: 'Ready', status, lastTransitionTime: '2026-01-02T03:04:05Z' }];
    const body = { status: { phase: 'Running', podIP, podIPs: [{ ip: podIP }], conditions } };
    await edge.write('PATCH', `pods/${name}/status`, body, 'application/strategic-merge-patch+json');
  }

  /** A relay of two Pods, both of which run what they were given. */
  async function twoReady(): Promise<{ pods: Seen[]; hash: string }> {
    await edge.applyRelay('web', spec(8443, { replicas: 2 }));
    await edge.expectCondition('web', 'Programmed', 'True', 'Programmed');
    const { configHash = '' } = await statusOf('web');
    const made = await pods(2);
    for (const [index, pod] of made.entries()) {
      const address = `192.0.2.${String(index + 1)}`;
      relays.set(address, { configHash, configProblem: '', unready: [] });
      await setReady(pod, address);
    }
    await edge.expectCondition('web', 'Ready', 'True', 'PodsReady');
    return { pods: made, hash: configHash };
  }

  /** Resolves with the hash that both Pods are told of, once it is another than `before`. */
  async function told(before: string): Promise<string> {
    return eventually('both Pods are told', async () => {
      const hashes = (await pods(2)).map(({ metadata }) => metadata.annotations?.[hashAnnotation]);
      const [hash] = hashes;
      return hash !== undefined && hash !== before && hashes.every((other) => other === hash) && hash;
    });
  }

  it('counts the Pods that run the configuration, and annotates none that began with it', async () => {
    const { pods: made } = await twoReady();
    const status = await edge.expect('realmrelays/web', (seen) => seen.status?.updatedReplicas === 2);
    expect(status.status?.endpoints?.[0]).to.include({ name: 'https', ready: true, message: '' });
    for (const { metadata } of made) {
      expect((await edge.find(`pods/${metadata.name}`))?.metadata.annotations ?? {}).not.to.have.property(
        hashAnnotation,
      );
    }
  });

  it('passes an edit on to running Pods, and is Ready when both run it, after six status writes at most', async () => {
    const { hash } = await twoReady();
    await settledWrites(cluster());
    const version = async (): Promise<string> =>
      (await edge.find('realmrelays/web'))?.metadata.resourceVersion ?? '';
    const versions = new Set([await version()]);
    await edge.applyRelay('web', spec(9443, { replicas: 2 }));
    const newHash = await told(hash);
    expect((await edge.expectCondition('web', 'Ready', 'False', 'ConfigPending')).message).to.equal(
      '0 of 2 Pods run the newest configuration.',
    );
    expect((await statusOf('web')).updatedReplicas).to.equal(0);
    for (const address of relays.keys())
      relays.set(address, { configHash: newHash, configProblem: '', unready: [] });
    await eventually('Ready', async () => {
      versions.add(await version());
      return (await statusOf('web')).updatedReplicas === 2;
    });
    await edge.expectCondition('web', 'Ready', 'True', 'PodsReady');
    expect(versions.size).to.be.at.most(6);
  });

  /** Lets an hour pass, and what comes of it end. */
  async function rest(): Promise<void> {
    for (let minute = 0; minute < 60; minute += 1) {
      clock.jump(60_000);
      await edge.idle();
    }
  }

  it('asks no Pod and writes nothing while all is well, nor after a restart', async () => {
    await twoReady();
    const before = await settledWrites(cluster());
    const questions = await edge.questions();
    await rest();
    expect(await edge.questions()).to.equal(questions);
    await edge.stop();
    await edge.start();
    await eventually('reconciled', async () => (await edge.turns()) > 0);
    await rest();
    expect(await edge.questions()).to.equal(0);
    expect(await settledWrites(cluster())).to.equal(before);
  });

  it('goes on beside a Pod that answers with 40 MB, and logs that once', async () => {
    const flood = createServer((_request, response) => {
      response.end(Buffer.alloc(40e6, '"0123456789",'));
    });
    await once(flood.listen(0, '127.0.0.1'), 'listening');
    const { port } = flood.address() as AddressInfo;
    const answers = edge.askRelay;
    await edge.stop();
    edge.askRelay = (address, endpoints) =>
      address === '192.0.2.1' ? fetchRelayReport('127.0.0.1', endpoints, port) : answers(address, endpoints);
    try {
      await edge.start();
      await twoReady();
      const { message } = await edge.expectCondition('web', 'Ready', 'True', 'PodsReady');
      expect(message).to.contain('the operator cannot reach them');
      await edge.applyRelay('dns', spec(5353));
      await edge.expectCondition('dns', 'Programmed', 'True', 'Programmed');
      const logged = edge.logged.filter(({ msg }) => msg === 'Pod does not answer as a relay does');
      expect(logged).to.have.lengthOf(1);
    } finally {
      flood.closeAllConnections();
      flood.close();
    }
  });

  it('names the Pod, the endpoint, the reason and the remedy of a bind that failed', async () => {
    const {
      pods: [first],
      hash,
    } = await twoReady();
    if (first === undefined) throw new Error('no Pod');
    relays.set('192.0.2.1', { configHash: hash, configProblem: '', unready: [fault] });
    await setReady(first, '192.0.2.1', false);
    const { message } = await edge.expectCondition('web', 'Ready', 'False', 'EndpointsNotReady');
    expect(message).to.equal(`Endpoint "https" in Pod "${first.metadata.name}": ${fault.message}`);
    expect((await statusOf('web')).endpoints?.[0]).to.include({
      ready: false,
      message: `Pod "${first.metadata.name}": ${fault.message}`,
    });
    relays.set('192.0.2.1', { configHash: hash, configProblem: '', unready: [] });
    await setReady(first, '192.0.2.1');
    await edge.expectCondition('web', 'Ready', 'True', 'PodsReady');
    expect((await statusOf('web')).endpoints?.[0]).to.include({ ready: true, message: '' });
  });

  it('reports that it cannot reach Pods, and blocks nothing', async () => {
    const { hash } = await twoReady();
    relays.clear();
    await edge.applyRelay('web', spec(9443, { replicas: 2 }));
    await told(hash);
    const { message } = await edge.expectCondition('web', 'Ready', 'True', 'PodsReady');
    expect(message).to.include('the operator cannot reach them');
    expect(await statusOf('web')).not.to.have.property('updatedReplicas');
    expect((await statusOf('web')).endpoints?.[0]).not.to.have.property('ready');
  });

  it('replaces Pods with Rollout, and annotates none', async () => {
    await twoReady();
    const before = await edge.expect('deployments/web');
    await edge.applyRelay('web', spec(8443, { replicas: 2, updateStrategy: 'Rollout' }));
    const rollout = await edge.expect('deployments/web', (seen) =>
      JSON.stringify(seen.spec).includes('realm-operator.dev/config-hash'),
    );
    expect(rollout.metadata.generation).to.equal((before.metadata.generation ?? 0) + 1);
    await edge.applyRelay('web', spec(9443, { replicas: 2, updateStrategy: 'Rollout' }));
    await edge.expect(
      'deployments/web',
      (seen) => seen.metadata.generation === (rollout.metadata.generation ?? 0) + 1,
    );
  });

  it('neither annotates nor counts a Pod that only bears our labels', async () => {
    const { hash } = await twoReady();
    const [ours] = await pods(2);
    const labels = { ...ours?.metadata.labels, 'pod-template-hash': 'none' }; // else the ReplicaSet would adopt it
    const container = { name: 'x', image: 'x' };
    const metadata = { name: 'foreign', labels };
    const pod = { apiVersion: 'v1', kind: 'Pod', metadata, spec: { containers: [container] } };
    const foreign = await edge.write('POST', 'pods', pod, 'application/json');
    relays.set('192.0.2.9', { configHash: 'other', configProblem: '', unready: [fault] });
    await setReady(foreign, '192.0.2.9');
    await edge.applyRelay('web', spec(9443, { replicas: 2 }));
    await eventually('our Pods are told', async () => {
      const told = (await pods(3)).filter(({ metadata: { name } }) => name !== 'foreign');
      return told.every(({ metadata }) => (metadata.annotations?.[hashAnnotation] ?? hash) !== hash);
    });
    const { annotations = {} } = (await edge.find('pods/foreign'))?.metadata ?? {};
    expect(annotations).not.to.have.property(hashAnnotation);
    expect((await statusOf('web')).endpoints?.[0]?.message).to.equal('');
  });
});

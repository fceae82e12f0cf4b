import { expect } from 'chai';
import { parseRealmRelay } from '../../src/api/parse.ts';
import type { Relay } from '../../src/api/relay.ts';
import type { RealmRelay } from '../../src/api/schema/realm-relay.ts';
import { desiredObjects } from '../../src/desired/desired-objects.ts';
import { service as desiredService, type ObservedService } from '../../src/desired/service.ts';
import { Applier, type Applied } from '../../src/kube/apply.ts';
import { RefusedError, ResourceConflictError } from '../../src/kube/apply-errors.ts';
import { KubeError } from '../../src/kube/kube-error.ts';
import { kubeConfigLoader } from '../../src/kube/kube-config.ts';
import type { KubeObject } from '../../src/kube/object.ts';
import { KubeClient } from '../../src/kube/client.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { ownedKinds } from '../../src/operator/kinds.ts';
import { describeWithCluster } from '../cluster/shared.ts';
import { goldenRelayManifests } from '../desired/golden-relays.ts';
import { endpoint, realmRelay } from '../support/realm-relays.ts';
import { Edge, type Seen, spec } from '../operator/edge.ts';

describeWithCluster('Applier', (cluster) => {
  let edge: Edge;
  let client: KubeClient;

  beforeEach(async () => {
    client = new KubeClient(kubeConfigLoader({ file: cluster().kubeconfig }), systemClock);
    edge = new Edge(cluster(), await cluster().namespace());
  });

  afterEach(() => client.close());

  /** One that knows nothing yet, as after a start. */
  function applier(): Applier {
    return new Applier({
      client,
      kinds: ownedKinds(),
      clock: systemClock,
      isOwnerThere: () => Promise.resolve(true),
    });
  }

  async function applyAll(objects: readonly KubeObject[], by = applier()): Promise<Applied[]> {
    const applied: Applied[] = [];
    for (const object of objects) applied.push(await by.apply(object));
    return applied;
  }

  /** What `relay` needs, beside the Service that is there. */
  function desiredOf(relay: Relay, service: Seen | undefined): KubeObject[] {
    return desiredObjects(relay, {
      relayImage: 'example.com/relay:1',
      relayEngine: 'auto',
      operatorNamespace: 'operators',
      deniedDestinations: [],
    }).map((object) =>
      object.kind === 'Service'
        ? desiredService(relay, service?.spec as ObservedService | undefined)
        : object,
    );
  }

  function versions(applied: readonly Applied[]): (string | undefined)[] {
    // The Deployment controller writes the status, which counts as a resource version too.
    return applied.map(({ object: { metadata } }) => String(metadata.generation ?? metadata.resourceVersion));
  }

  async function owner(): Promise<KubeObject> {
    return edge.applyRelay('owner', spec());
  }

  /** An object that `owner` owns. */
  function owned(
    owner: KubeObject,
    object: { apiVersion: string; kind: string; [field: string]: unknown },
  ): KubeObject {
    const { apiVersion, kind, metadata } = owner;
    const reference = { apiVersion, kind, name: metadata.name, uid: metadata.uid ?? '', controller: true };
    return { ...object, metadata: { name: 'web', namespace: edge.namespace, ownerReferences: [reference] } };
  }

  const range = (port: number): RealmRelay =>
    realmRelay([endpoint({ port, endPort: port + 255, network: { udp: true } })]);

  for (const [name, manifest] of Object.entries({ ...goldenRelayManifests, '256 ports': range(10_000) })) {
    it(`${name}: is as wanted after one apply, and no second writes anything`, async () => {
      const { metadata, spec } = manifest as {
        metadata: { name: string };
        spec: Parameters<Edge['applyRelay']>[1];
      };
      const { relay } = parseRealmRelay(await edge.applyRelay(metadata.name, spec));
      if (relay === undefined) throw new Error('the golden relay is not valid');
      const desired = desiredOf(relay, undefined);
      const first = await applyAll(desired);
      expect(first.map(({ outcome }) => outcome)).to.deep.equal(desired.map(() => 'created'));
      const second = await applyAll(desired);
      expect(second.map(({ outcome }) => outcome)).to.deep.equal(desired.map(() => 'unchanged'));
      expect(versions(second)).to.deep.equal(versions(first));
      const third = await applyAll(desiredOf(relay, await edge.find(`services/${metadata.name}`)));
      expect(
        third.map(({ outcome }) => outcome),
        'repeating the families that the cluster chose',
      ).to.deep.equal(desired.map(() => 'unchanged'));
    });
  }

  it('moves the ports of a Service with their range', async () => {
    const owned = await owner();
    const [before, after] = [range(10_000), range(10_100)].map(({ spec }) => {
      const { relay } = parseRealmRelay({ ...owned, spec });
      if (relay === undefined) throw new Error('the relay is not valid');
      return desiredOf(relay, undefined).filter(({ kind }) => kind === 'Service');
    }) as [KubeObject[], KubeObject[]];
    const one = applier();
    await applyAll(before, one);
    const [moved] = await applyAll(after, one);
    expect(moved?.outcome).to.equal('updated');
    const ports = (moved?.object as { spec?: { ports?: { port: number; protocol: string }[] } }).spec?.ports;
    expect(ports).to.have.length(512);
    expect(ports?.map(({ port }) => port)).to.satisfy((all: number[]) =>
      all.every((port) => port >= 10_100 && port <= 10_355),
    );
    expect((await applyAll(after))[0]?.outcome).to.equal('unchanged');
  });

  it('does not apply for ever what the API server writes another way', async () => {
    const limits = { cpu: '1000m', memory: '1024Mi' };
    const containers = [{ name: 'x', image: 'x', env: [{ name: 'A', value: '' }], resources: { limits } }];
    const selector = { matchLabels: { a: 'b' } };
    const template = { metadata: { labels: selector.matchLabels }, spec: { containers, hostNetwork: false } };
    const deployment = owned(await owner(), {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      spec: { replicas: 0, selector, template, paused: false },
    });
    const one = applier();
    const outcomes = [...(await applyAll([deployment, deployment, deployment], one))].map(
      ({ outcome }) => outcome,
    );
    expect(outcomes).to.deep.equal(['created', 'unchanged', 'unchanged']);
    await edge.write(
      'PATCH',
      'deployments/web',
      [{ op: 'replace', path: '/spec/template/spec/containers/0/resources/limits/cpu', value: '7' }],
      'application/json-patch+json',
    );
    expect((await applier().apply(deployment)).outcome, 'another value is drift all the same').to.equal(
      'repaired',
    );
  });

  it('takes away what we no longer want', async () => {
    const by = await owner();
    const object = { apiVersion: 'v1', kind: 'ConfigMap' };
    await applyAll([owned(by, { ...object, data: { a: '1', b: '2' } })]);
    await edge.write('PATCH', 'configmaps/web', { data: { others: '3' } });
    const [applied] = await applyAll([owned(by, { ...object, data: { a: '1' } })]);
    expect(applied?.outcome).to.equal('updated');
    expect(applied?.object).to.have.property('data').that.deep.equals({ a: '1', others: '3' });
  });

  async function expectUntouched(metadata: object): Promise<void> {
    const body = {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'web', ...metadata },
      data: { mine: 'yes' },
    };
    const foreign = await edge.write('POST', 'configmaps', body, 'application/json');
    const wanted = owned(await owner(), { apiVersion: 'v1', kind: 'ConfigMap', data: { a: '1' } });
    const error: unknown = await applier()
      .apply(wanted)
      .catch((thrown: unknown) => thrown);
    expect(error)
      .to.be.instanceOf(ResourceConflictError)
      .and.include({ kind: 'ConfigMap', objectName: 'web' });
    expect(await edge.find('configmaps/web')).to.deep.equal(foreign);
  }

  it('does not touch an object that nobody owns', () => expectUntouched({}));

  it('does not touch an object that only has our label', () =>
    expectUntouched({ labels: { 'app.kubernetes.io/managed-by': 'realm-operator' } }));

  it('does not touch an object that another owns, of the same name', async () => {
    const other = await edge.write(
      'POST',
      'configmaps',
      { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'owner' } },
      'application/json',
    );
    const { apiVersion, kind, metadata } = other;
    await expectUntouched({
      ownerReferences: [{ apiVersion, kind, name: 'owner', uid: metadata.uid, controller: true }],
    });
  });

  it('does not apply over an object that took the place of the one that it saw', async () => {
    const one = applier();
    const wanted = owned(await owner(), { apiVersion: 'v1', kind: 'ConfigMap', data: { a: '1' } });
    await one.apply(wanted);
    await edge.write('DELETE', 'configmaps/web');
    const foreign = await edge.write(
      'POST',
      'configmaps',
      { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'web' } },
      'application/json',
    );
    const edited = owned(await owner(), { apiVersion: 'v1', kind: 'ConfigMap', data: { a: '2' } });
    const error: unknown = await one.apply(edited).catch((thrown: unknown) => thrown);
    expect(error).to.be.instanceOf(KubeError).and.include({ status: 409 });
    expect(await edge.find('configmaps/web')).to.deep.equal(foreign);
  });

  it('deletes only the object that it was given', async () => {
    const [applied] = await applyAll([owned(await owner(), { apiVersion: 'v1', kind: 'ConfigMap' })]);
    const object = applied?.object ?? (await owner());
    await applier().delete({ ...object, metadata: { ...object.metadata, uid: 'another' } });
    expect(await edge.find('configmaps/web')).not.to.equal(undefined);
    await applier().delete(object);
    await edge.expectMissing('configmaps/web');
    await applier().delete(object);
  });

  it('throws that a ConfigMap above 1 MiB is refused', async () => {
    const config = { 'config.json': 'x'.repeat(1024 * 1024 + 1) };
    const large = owned(await owner(), { apiVersion: 'v1', kind: 'ConfigMap', data: config });
    const thrown: unknown = await applier()
      .apply(large)
      .catch((error: unknown) => error);
    expect(thrown).to.be.instanceOf(RefusedError);
    expect((thrown as RefusedError).refusal).to.include('Too long');
  });

  it('distinguishes a refusal from a passing failure', async () => {
    const by = await owner();
    const one = applier();
    const failure = (object: KubeObject): Promise<unknown> =>
      one.apply(object).catch((thrown: unknown) => thrown);
    const invalid = owned(by, { apiVersion: 'v1', kind: 'Service', spec: { ports: [] } });
    expect(await failure(invalid))
      .to.be.instanceOf(RefusedError)
      .and.deep.include({ kind: 'Service', fields: ['spec.ports'] });
    const unknown = owned(by, { apiVersion: 'v1', kind: 'ConfigMap', dada: { a: '1' } });
    const [first, second] = [await failure(unknown), await failure(unknown)];
    expect(first, 'the API server answers 500 to a typing error')
      .to.be.instanceOf(KubeError)
      .and.include({ status: 500 });
    expect(second).to.be.instanceOf(RefusedError);
    expect((second as RefusedError).refusal).to.include('dada');
  });
});

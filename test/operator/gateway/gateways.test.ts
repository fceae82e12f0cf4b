import { expect } from 'chai';
import type { Condition } from '../../../src/api/schema/realm-relay.ts';
import type { Listener } from '../../../src/gateway/types.ts';
import { eventually } from '../../support/eventually.ts';
import { describeGateways, GatewayEdge, installKinds, remotesOf } from './gateway-edge.ts';

const db: Listener = { name: 'db', port: 5432, protocol: 'TCP' };
const dns: Listener = { name: 'dns', port: 53, protocol: 'UDP' };
const children = ['configmaps/web-realm-config', 'deployments/web-realm', 'services/web-realm'];

function reasons(conditions: readonly Condition[] = []): string[] {
  return conditions.map(({ type, reason }) => `${type} ${reason}`);
}

describeGateways('operator with Gateways', (controlPlane) => {
  let edge: GatewayEdge;

  before(async () => {
    await installKinds(controlPlane());
  });

  beforeEach(async () => {
    edge = new GatewayEdge(controlPlane(), await controlPlane().namespace());
    await edge.applyClass();
    await edge.start();
  });

  afterEach(() => edge.stop());

  it('makes one Deployment, Service and ConfigMap, which the Gateway owns', async () => {
    await edge.applyBackend('pg', ['192.0.2.1', '192.0.2.2']);
    await edge.applyGateway([db], {
      infrastructure: { labels: { team: 'data' }, annotations: { 'example.com/a': 'b' } },
    });
    await edge.applyRoute('TCPRoute', 'pg', [{ name: 'pg' }]);
    await edge.expectRemotes('192.0.2.1:8080', '192.0.2.2:8080');
    const gateway = await edge.expect('gateways/web');
    for (const child of children) {
      const { metadata } = await edge.expect(child);
      expect(metadata.ownerReferences?.[0]).to.include({
        kind: 'Gateway',
        uid: gateway.metadata.uid,
        controller: true,
      });
      expect(metadata.labels).to.include({ team: 'data', 'gateway.networking.k8s.io/gateway-name': 'web' });
      expect(metadata.annotations).to.include({ 'example.com/a': 'b' });
    }
    expect(await edge.find('realmrelays/web-realm')).to.equal(undefined);
  });

  it('reports Pods, then the address, then that all is programmed', async () => {
    await edge.applyGateway([db]);
    await edge.expectOfGateway('Accepted', 'True', 'Accepted');
    const { message } = await edge.expectOfGateway('Programmed', 'False', 'Pending');
    expect(message).to.equal('0 of 1 Pods are ready.');
    await edge.makeReady();
    await edge.expectOfGateway('Programmed', 'True', 'Programmed');
    const { status } = await edge.expectGateway(() => true);
    expect(status?.addresses).to.deep.equal([
      { type: 'IPAddress', value: '2001:db8::80' },
      { type: 'IPAddress', value: '192.0.2.80' },
    ]);
    await edge.write('PATCH', 'services/web-realm/status', { status: { loadBalancer: { ingress: null } } });
    const address = await edge.expectOfGateway('Programmed', 'False', 'AddressNotAssigned');
    expect(address.message).to.include('is there a load balancer in this cluster?');
  });

  it('accepts its class, and leaves conditions of others there alone', async () => {
    const path = '/apis/gateway.networking.k8s.io/v1/gatewayclasses/realm';
    type Class = { status?: { conditions?: Condition[]; supportedFeatures?: { name: string }[] } };
    const status = await eventually('the status of the class', async () => {
      const seen = (await controlPlane().request('GET', path)).json() as Class;
      return seen.status?.supportedFeatures !== undefined && seen.status;
    });
    expect(reasons(status.conditions)).to.deep.equal([
      'Accepted Accepted',
      'SupportedVersion SupportedVersion',
    ]);
    expect(status.supportedFeatures?.map(({ name }) => name)).to.include.members([
      'TCPRoute',
      'TLSRoute',
      'UDPRoute',
    ]);
  });

  it('serves TCP and UDP on one port, and follows listeners that are added and removed', async () => {
    await edge.applyBackend('pg', ['192.0.2.1']);
    await edge.applyBackend('bind', ['192.0.2.53'], 'UDP');
    await edge.applyRoute('TCPRoute', 'pg', [{ name: 'pg' }]);
    await edge.applyRoute('UDPRoute', 'bind', [{ name: 'bind' }]);
    await edge.applyGateway([{ ...db, port: 53 }, dns]);
    await edge.expectRemotes('192.0.2.1:8080', '192.0.2.53:8080');
    await edge.applyGateway([dns]);
    await edge.expectRemotes('192.0.2.53:8080');
    const { status } = await edge.expectGateway((seen) => seen.status?.listeners?.length === 1);
    expect(status?.listeners?.[0]).to.include({ name: 'dns', attachedRoutes: 1 });
    const [entry] = await edge.expectParents(
      'tcproutes/pg',
      ([parent]) => parent?.conditions[0]?.status === 'False',
    );
    expect(reasons(entry?.conditions)[0]).to.equal('Accepted NotAllowedByListeners');
    await edge.applyGateway([dns, db]);
    await edge.expectRemotes('192.0.2.1:8080', '192.0.2.53:8080');
    await edge.expect('services/web-realm', ({ spec }) => {
      const ports = (spec as { ports: { port: number; protocol: string }[] }).ports;
      return ports.map(({ port, protocol }) => `${String(port)}/${protocol}`).join() === '53/UDP,5432/TCP';
    });
  });

  it('serves TLSRoutes by their hostnames on one port, follows changes of these, and reports a hostname that no listener has', async () => {
    await edge.applyBackend('pg', ['192.0.2.1']);
    await edge.applyBackend('other', ['192.0.2.2']);
    const terminate = { mode: 'Terminate', certificateRefs: [{ name: 'c' }, { name: 'd' }] };
    const end = { name: 'end', port: 443, protocol: 'TLS', hostname: 'c.example', tls: terminate };
    const tls = { port: 443, protocol: 'TLS', tls: { mode: 'Passthrough' } };
    await edge.applyGateway([
      { ...tls, name: 'a', hostname: '*.a.example' },
      { ...tls, name: 'b', hostname: 'b.example' },
      end,
    ]);
    await edge.applyRoute('TLSRoute', 'pg', [{ name: 'pg' }], {
      hostnames: ['x.a.example', 'd.example'],
    });
    await edge.applyRoute('TLSRoute', 'other', [{ name: 'other' }], { hostnames: ['b.example'] });
    await edge.expectRemotes('192.0.2.1:8080', '192.0.2.2:8080');
    const { status } = await edge.expectGateway((seen) => seen.status?.listeners?.[1]?.attachedRoutes === 1);
    expect(reasons(status?.listeners?.[0]?.conditions)).to.include.members([
      'Accepted Accepted',
      'Conflicted NoConflicts',
    ]);
    expect(reasons(status?.listeners?.[2]?.conditions)).to.include('Accepted UnsupportedValue');
    await edge.expect('services/web-realm', ({ spec }) => (spec as { ports: unknown[] }).ports.length === 1);
    await edge.applyRoute('TLSRoute', 'other', [{ name: 'other' }], { hostnames: ['d.example'] });
    await edge.expectRemotes('192.0.2.1:8080');
    const [entry] = await edge.expectParents(
      'tlsroutes/other',
      ([each]) => each?.conditions[0]?.status === 'False',
    );
    expect(reasons(entry?.conditions)[0]).to.equal('Accepted NoMatchingListenerHostname');
  });

  it('reports protocols and kinds that it does not serve, and serves the others', async () => {
    await edge.applyBackend('pg', ['192.0.2.1']);
    const http = { name: 'http', port: 80, protocol: 'HTTP' };
    await edge.applyGateway([
      http,
      { ...db, allowedRoutes: { kinds: [{ kind: 'HTTPRoute' }, { kind: 'TCPRoute' }] } },
    ]);
    await edge.applyRoute('TCPRoute', 'pg', [{ name: 'pg' }]);
    await edge.expectRemotes('192.0.2.1:8080');
    await edge.expectOfGateway('Accepted', 'True', 'ListenersNotValid');
    const { status } = await edge.expectGateway((seen) => seen.status?.listeners?.[1]?.attachedRoutes === 1);
    const [ofHttp, ofDb] = status?.listeners ?? [];
    expect(reasons(ofHttp?.conditions)).to.include('Accepted UnsupportedProtocol');
    expect(reasons(ofDb?.conditions)).to.include.members([
      'Accepted Accepted',
      'ResolvedRefs InvalidRouteKinds',
    ]);
  });

  it('runs nothing without a valid listener, and says so', async () => {
    await edge.applyGateway([db]);
    await edge.expect('deployments/web-realm');
    await edge.applyGateway([{ ...db, protocol: 'HTTP' }]);
    await edge.expectOfGateway('Accepted', 'False', 'ListenersNotValid');
    await edge.expectOfGateway('Programmed', 'False', 'Invalid');
    for (const child of children) await edge.expectMissing(child);
  });

  it('follows RealmGatewayParameters, and leaves what runs as it is while they are not valid', async () => {
    const parameters = (spec: object) =>
      edge.applyObject(
        'realmgatewayparameters/own',
        'realm-operator.dev/v1alpha1',
        'RealmGatewayParameters',
        spec,
      );
    const parametersRef = { group: 'realm-operator.dev', kind: 'RealmGatewayParameters', name: 'own' };
    await edge.applyGateway([db], { infrastructure: { parametersRef } });
    const { message } = await edge.expectOfGateway('Accepted', 'False', 'InvalidParameters');
    expect(message).to.include('does not exist');
    await parameters({ replicas: 2, service: { type: 'ClusterIP' } });
    await edge.expectOfGateway('Accepted', 'True', 'Accepted');
    await edge.expect('deployments/web-realm', ({ spec }) => spec?.['replicas'] === 2);
    const service = await edge.expect('services/web-realm', ({ spec }) => spec?.['type'] === 'ClusterIP');
    const addresses = (service.spec as { clusterIPs: string[] }).clusterIPs;
    await edge.expectGateway(
      ({ status }) => status?.addresses?.map(({ value }) => value).join() === addresses.join(),
    );
    await parameters({ replicas: 2, service: { type: 'ClusterIP', labels: { team: 'not a label' } } });
    await edge.expectOfGateway('Accepted', 'False', 'InvalidParameters');
    await edge.expectOfGateway('Programmed', 'False', 'Invalid');
    for (const child of children) await edge.expect(child);
    await edge.write('DELETE', 'realmgatewayparameters/own');
    await edge.applyGateway([db]);
    await edge.expect('services/web-realm', ({ spec }) => spec?.['type'] === 'LoadBalancer');
  });

  it('keeps what other controllers report about a route, and removes its own entry with the Gateway', async () => {
    await edge.applyGateway([db]);
    await edge.applyRoute('TCPRoute', 'pg', [{ name: 'pg' }], {
      parentRefs: [{ name: 'web' }, { name: 'other' }],
    });
    await edge.expectParents('tcproutes/pg', ({ length }) => length === 1);
    const { status } = (await edge.find('tcproutes/pg')) as unknown as { status: { parents: object[] } };
    const condition = {
      type: 'Accepted',
      status: 'True',
      reason: 'Accepted',
      message: '',
      lastTransitionTime: '2026-01-02T03:04:05Z',
    };
    const theirs = {
      parentRef: { name: 'other' },
      controllerName: 'example.com/other',
      conditions: [condition],
    };
    await edge.write('PATCH', 'tcproutes/pg/status', { status: { parents: [...status.parents, theirs] } });
    await edge.applyBackend('pg', ['192.0.2.1']);
    const names = (parents: readonly { controllerName: string }[]): string =>
      parents.map((each) => each.controllerName).join();
    const [first, second] = await edge.expectParents('tcproutes/pg', (parents) =>
      parents.some(({ conditions }) => reasons(conditions).includes('ResolvedRefs ResolvedRefs')),
    );
    expect(first?.controllerName).to.equal('example.com/other');
    expect(second?.controllerName).to.equal('realm-operator.dev/gateway-controller');
    await edge.write('DELETE', 'gateways/web');
    await edge.expectParents('tcproutes/pg', (parents) => names(parents) === 'example.com/other');
  });

  it('takes a backend of another namespace while a ReferenceGrant permits it', async () => {
    const data = new GatewayEdge(controlPlane(), await controlPlane().namespace());
    await data.applyBackend('pg', ['192.0.2.9']);
    await edge.stop();
    await edge.start([edge.namespace, data.namespace]);
    await edge.applyGateway([db]);
    await edge.applyRoute('TCPRoute', 'pg', [{ name: 'pg', namespace: data.namespace }]);
    await edge.expectParents('tcproutes/pg', ([parent]) =>
      reasons(parent?.conditions).includes('ResolvedRefs RefNotPermitted'),
    );
    await edge.expectRemotes();
    const from = [{ group: 'gateway.networking.k8s.io', kind: 'TCPRoute', namespace: edge.namespace }];
    const spec = { from, to: [{ group: '', kind: 'Service' }] };
    await data.applyObject('referencegrants/all', 'gateway.networking.k8s.io/v1', 'ReferenceGrant', spec);
    await edge.expectRemotes('192.0.2.9:8080');
    await data.write('DELETE', 'referencegrants/all');
    await edge.expectRemotes();
    await edge.expectParents('tcproutes/pg', ([parent]) =>
      reasons(parent?.conditions).includes('ResolvedRefs RefNotPermitted'),
    );
  });

  it('follows the labels of namespaces that a listener selects', async () => {
    const path = `/api/v1/namespaces/${edge.namespace}`;
    const label = (team: string | null) =>
      controlPlane().request(
        'PATCH',
        path,
        { metadata: { labels: { team } } },
        'application/merge-patch+json',
      );
    await edge.applyBackend('pg', ['192.0.2.1']);
    const namespaces = { from: 'Selector', selector: { matchLabels: { team: 'data' } } };
    await edge.applyGateway([{ ...db, allowedRoutes: { namespaces } }]);
    await edge.applyRoute('TCPRoute', 'pg', [{ name: 'pg' }]);
    await edge.expectParents('tcproutes/pg', ([parent]) =>
      reasons(parent?.conditions).includes('Accepted NotAllowedByListeners'),
    );
    await label('data');
    await edge.expectRemotes('192.0.2.1:8080');
    await label(null);
    await edge.expectRemotes();
  });

  it('leaves a Gateway to the controller of another class, and deletes what it made for it', async () => {
    await edge.applyClass('other', 'example.com/other');
    await edge.applyGateway([db]);
    await edge.applyRoute('TCPRoute', 'pg', [{ name: 'pg' }]);
    await edge.expect('deployments/web-realm');
    await edge.expectParents('tcproutes/pg', ({ length }) => length === 1);
    await edge.applyGateway([db], { gatewayClassName: 'other' });
    for (const child of children) await edge.expectMissing(child);
    await edge.expectParents('tcproutes/pg', ({ length }) => length === 0);
  });

  it('repairs what others change, and reports an object of another owner', async () => {
    await edge.write('POST', 'configmaps', { metadata: { name: 'web-realm-config' } }, 'application/json');
    await edge.applyGateway([db]);
    const { message } = await edge.expectOfGateway('Programmed', 'False', 'ResourceConflict');
    expect(message).to.include('does not belong to this Gateway');
    await edge.write('DELETE', 'configmaps/web-realm-config');
    await edge.idle(); // it waits to look again
    edge.clock.jump(60_000);
    await edge.expectOfGateway('Programmed', 'False', 'Pending');
    await edge.write('DELETE', 'services/web-realm');
    await edge.expect('services/web-realm');
  });

  it('writes one configuration a second at most in a burst of endpoints, and the last one always', async () => {
    await edge.applyBackend('pg', ['192.0.2.1']);
    await edge.applyGateway([db]);
    const startMs = performance.now(); // before the first is decided, since it is seen later
    await edge.applyRoute('TCPRoute', 'pg', [{ name: 'pg' }]);
    await edge.expectRemotes('192.0.2.1:8080');
    const written = new Set<string>();
    const look = async (): Promise<readonly string[]> => {
      const { metadata, data } = await edge.expect('configmaps/web-realm-config');
      written.add(metadata.resourceVersion ?? '');
      return remotesOf(data);
    };
    for (let host = 2; host <= 60; host += 1) {
      await edge.applySlice('pg', [`192.0.2.${String(host)}`]);
      await look();
    }
    while ((await look()).join() !== '192.0.2.60:8080');
    const elapsedS = (performance.now() - startMs) / 1000;
    expect(written.size - 1, 'configurations').to.be.at.most(Math.floor(elapsedS) + 1);
  });
});

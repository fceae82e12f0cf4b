import { expect } from 'chai';
import type { RealmRelaySpec } from '../../src/api/schema/realm-relay.ts';
import { describeWithCluster } from '../cluster/shared.ts';
import { Edge, spec } from './edge.ts';

/** Of the part of the range that the API server leaves to those who choose a port, so that no other Service gets it. */
const [nodePort, takenNodePort] = [30_023, 30_024];

type ServiceSpec = NonNullable<RealmRelaySpec['service']>;

const balancer: ServiceSpec = { type: 'LoadBalancer', loadBalancerClass: 'example.com/a' };

describeWithCluster('operator, the fields of a Service', function (cluster) {
  let edge: Edge;

  beforeEach(async () => {
    edge = new Edge(cluster(), await cluster().namespace());
    await edge.start();
  });

  afterEach(() => edge.stop());

  function applyWith(service: ServiceSpec, port?: number): Promise<unknown> {
    return edge.applyRelay('web', spec(port, { service }));
  }

  it('takes away what is no longer wanted, with the type that it went with', async () => {
    await applyWith({
      ...balancer,
      externalTrafficPolicy: 'Local',
      loadBalancerSourceRanges: ['192.0.2.0/24'],
      sessionAffinity: 'ClientIP',
      nodePorts: { https: nodePort },
      labels: { team: 'edge' },
    });
    const made = await edge.expect('services/web');
    expect(made.spec).to.deep.include({ externalTrafficPolicy: 'Local', sessionAffinity: 'ClientIP' });
    expect(made).to.have.nested.property('spec.ports[0].nodePort', nodePort);
    expect(made.metadata.labels).to.include({ team: 'edge' });
    await edge.expectCondition('web', 'Programmed', 'True', 'Programmed');

    await edge.applyRelay('web', spec());
    const { spec: bare = {}, metadata } = await edge.expect(
      'services/web',
      (seen) => seen.spec?.['type'] === 'ClusterIP',
    );
    await edge.expectCondition('web', 'Programmed', 'True', 'Programmed');
    expect(metadata.uid).to.equal(made.metadata.uid);
    expect(metadata.labels).not.to.have.property('team');
    expect(bare).to.include({ sessionAffinity: 'None' });
    expect(bare).not.to.have.any.keys(
      'externalTrafficPolicy',
      'healthCheckNodePort',
      'loadBalancerClass',
      'loadBalancerSourceRanges',
    );
    expect(bare).not.to.have.nested.property('ports[0].nodePort');
  });

  for (const [what, loadBalancerClass] of [
    ['changed', 'example.com/b'],
    ['taken away', undefined],
  ] as const) {
    const edited: ServiceSpec = {
      type: 'LoadBalancer',
      ...(loadBalancerClass === undefined ? {} : { loadBalancerClass }),
    };

    it(`reports that the class of a live Service cannot be ${what}`, async () => {
      await applyWith(balancer);
      const before = await edge.expect('services/web');
      await applyWith(edited);
      const { message } = await edge.expectCondition('web', 'Programmed', 'False', 'ServiceImmutable');
      expect(message).to.include('loadBalancerClass').and.include('recreatePolicy: WhenNeeded');
      const after = await edge.expect('services/web');
      expect(after.metadata.uid).to.equal(before.metadata.uid);
      expect(after.spec).to.include({ loadBalancerClass: 'example.com/a' });
    });

    it(`replaces a Service whose class is ${what}, if it may`, async () => {
      await applyWith(balancer);
      const before = await edge.expect('services/web');
      await applyWith({ ...edited, recreatePolicy: 'WhenNeeded' });
      const after = await edge.expect('services/web', (seen) => seen.metadata.uid !== before.metadata.uid);
      expect(after.spec?.['loadBalancerClass']).to.equal(loadBalancerClass);
      await edge.expectCondition('web', 'Programmed', 'True', 'Programmed');
    });
  }

  it('is not ready until the load balancer has an address, and shows its host name and ports', async () => {
    await edge.applyRelay('web', spec(8443, { replicas: 0, service: balancer }));
    const { message } = await edge.expectCondition('web', 'Ready', 'False', 'AddressPending');
    expect(message).to.match(/Service "web" has no load-balancer address yet.*class "example.com\/a"/);
    await edge.expectCondition('web', 'Programmed', 'True', 'Programmed');
    await edge.expectCondition('web', 'Reconciling', 'True', 'AddressPending');
    const columns = ['get', 'rr', 'web', '--no-headers', '-n', edge.namespace];
    expect((await cluster().kubectl([...columns, '-o', 'wide'])).stdout).to.match(
      /^web +0\/0 +AddressPending +\[::\]:8443 +<pending> +Service "web" has no/,
    );

    const ports = [{ port: 8443, protocol: 'TCP' }];
    const ingress = [{ hostname: 'lb.example', ports }, { ip: '192.0.2.9' }];
    await edge.write('PATCH', 'services/web/status', { status: { loadBalancer: { ingress } } });
    await edge.expectCondition('web', 'Ready', 'True', 'ScaledToZero');
    const { status } = await edge.expect('realmrelays/web');
    expect(status?.addresses).to.deep.equal([
      { family: 'IPv4', address: '192.0.2.9' },
      { address: 'lb.example', ports },
    ]);
    expect((await cluster().kubectl([...columns, '-o', 'wide'])).stdout).to.match(
      /^web +0\/0 +ScaledToZero +\[::\]:8443 +192.0.2.9,lb.example +No Pods are wanted/,
    );

    await edge.write('PATCH', 'services/web/status', { status: { loadBalancer: null } });
    await edge.expectCondition('web', 'Ready', 'False', 'AddressPending');
  });

  it('still changes the rest of a Service whose class cannot change', async () => {
    await applyWith(balancer);
    await edge.expect('services/web');
    await applyWith({ ...balancer, loadBalancerClass: 'example.com/b' }, 9443);
    await edge.expect('services/web', (seen) => JSON.stringify(seen.spec?.['ports']).includes('9443'));
    await edge.expectCondition('web', 'Programmed', 'False', 'ServiceImmutable');
  });

  it('reports that a node port is taken, and takes it once it is free', async () => {
    const ports = [{ port: 80, nodePort: takenNodePort }];
    const body = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'other' },
      spec: { type: 'NodePort', ports },
    };
    await edge.write('POST', 'services', body, 'application/json');
    await applyWith({ type: 'NodePort', nodePorts: { https: takenNodePort } });
    const { message } = await edge.expectCondition('web', 'Programmed', 'False', 'InvalidService');
    expect(message).to.include(String(takenNodePort)).and.include('already allocated');
    await edge.expectCondition('web', 'Stalled', 'True', 'InvalidService');
    await edge.write('DELETE', 'services/other');
    await edge.expectCondition('web', 'Programmed', 'True', 'Programmed');
    expect(await edge.find('services/web')).to.have.nested.property('spec.ports[0].nodePort', takenNodePort);
  });
});

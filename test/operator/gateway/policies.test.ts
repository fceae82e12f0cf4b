import { expect } from 'chai';
import type { Listener } from '../../../src/gateway/types.ts';
import { describeGateways, GatewayEdge, installKinds } from './gateway-edge.ts';

const db: Listener = { name: 'db', port: 5432, protocol: 'TCP' };
const dns: Listener = { name: 'dns', port: 53, protocol: 'UDP' };

type Endpoint = {
  readonly name?: string;
  readonly listen: string;
  readonly remote: string;
  readonly network: object;
  readonly strategy?: string;
};

function endpointsOf(data: Readonly<Record<string, string>> = {}): readonly Endpoint[] {
  return (JSON.parse(data['config.json'] ?? '{"endpoints":[]}') as { endpoints: Endpoint[] }).endpoints;
}

describeGateways('operator with RealmTrafficPolicies', (controlPlane) => {
  let edge: GatewayEdge;

  before(async () => {
    await installKinds(controlPlane());
  });

  beforeEach(async () => {
    edge = new GatewayEdge(controlPlane(), await controlPlane().namespace());
    await edge.applyClass();
    await edge.start();
    await edge.applyBackend('pg', ['192.0.2.1', '192.0.2.2']);
    await edge.applyRoute('TCPRoute', 'pg', [{ name: 'pg' }]);
  });

  afterEach(() => edge.stop());

  async function expectEndpoints(holds: (endpoints: readonly Endpoint[]) => boolean): Promise<void> {
    await edge.expect('configmaps/web-realm-config', ({ data }) => holds(endpointsOf(data)));
  }

  it('follows policies of Gateway, listener and route as they come, change and go', async () => {
    await edge.applyPolicy('early', ['Gateway/web', 'TCPRoute/pg'], {
      network: { tcpIdleTimeoutSeconds: 60 },
    });
    await edge.expectReasons('early', 'TargetNotFound', 'Accepted');
    await edge.applyGateway([db]);
    const [ofGateway] = await edge.expectReasons('early', 'Accepted', 'Accepted');
    expect(ofGateway?.ancestorRef).to.include({ kind: 'Gateway', namespace: edge.namespace, name: 'web' });
    const { metadata } = await edge.expect('realmtrafficpolicies/early');
    expect(ofGateway?.conditions[0]?.observedGeneration).to.equal(metadata.generation);
    await edge.applyPolicy('early', ['Gateway/web'], { network: { maxConnections: 7 } });
    await edge.expectReasons('early', 'Accepted');
    await edge.applyPolicy('route', ['TCPRoute/pg'], { balance: 'LeastConnections' });
    await expectEndpoints(([only]) => {
      const { max_connections: max } = (only?.network ?? {}) as { max_connections?: number };
      return max === 7 && only?.strategy === 'leastconnections';
    });
    await edge.write('DELETE', 'realmtrafficpolicies/route');
    await expectEndpoints(([only]) => only !== undefined && only.strategy === undefined);
    await edge.write('DELETE', 'gateways/web');
    await edge.expectReasons('early', 'TargetNotFound');
  });

  it('gives a listener a range of ports, those of the backends shift along, and the Service has them', async () => {
    await edge.applyGateway([db, dns]);
    await edge.applyPolicy('range', ['Gateway/web/db'], { endPort: 5434 });
    await edge.expectReasons('range', 'Accepted');
    await expectEndpoints(
      (all) =>
        all.map(({ listen, remote }) => `${listen} ${remote}`).join() ===
        '[::]:5432 192.0.2.1:8080,[::]:5433 192.0.2.1:8081,[::]:5434 192.0.2.1:8082',
    );
    await edge.expect('services/web-realm', ({ spec }) => {
      const { ports } = spec as { ports: { port: number }[] };
      return ports.map(({ port }) => port).join() === '5432,5433,5434,53';
    });
    await edge.applyGateway([db, { ...dns, name: 'late', protocol: 'TCP', port: 5433 }]);
    const { status } = await edge.expectGateway((seen) =>
      (seen.status?.listeners ?? []).every(({ conditions }) =>
        conditions.some(({ type, reason }) => type === 'Conflicted' && reason === 'ProtocolConflict'),
      ),
    );
    expect(status?.listeners).to.have.lengthOf(2);
    await edge.applyPolicy('range', ['Gateway/web/db'], { endPort: 6000 });
    await edge.expectReasons('range', 'UnsupportedValue');
  });

  it('lets the oldest of several policies win, and the next one when that goes', async () => {
    await edge.applyGateway([db]);
    await edge.applyPolicy('first', ['Gateway/web/db'], { network: { maxConnections: 1 } });
    await edge.expectReasons('first', 'Accepted');
    await edge.applyPolicy('second', ['Gateway/web/db', 'TCPRoute/pg'], {});
    await edge.expectReasons('second', 'Conflicted', 'Accepted');
    await edge.write('DELETE', 'realmtrafficpolicies/first');
    await edge.expectReasons('second', 'Accepted', 'Accepted');
  });

  it('keeps what another controller reports about a policy', async () => {
    const foreign = {
      ancestorRef: { name: 'other' },
      controllerName: 'example.com/other',
      conditions: [
        {
          type: 'Accepted',
          status: 'True',
          reason: 'Accepted',
          message: '',
          lastTransitionTime: '2026-01-01T00:00:00Z',
        },
      ],
    };
    await edge.applyPolicy('shared', ['Gateway/web'], {});
    await edge.expectReasons('shared', 'TargetNotFound');
    const { status } = (await edge.expect('realmtrafficpolicies/shared')) as unknown as {
      status: { ancestors: object[] };
    };
    await edge.write('PATCH', 'realmtrafficpolicies/shared/status', {
      status: { ancestors: [...status.ancestors, foreign] },
    });
    await edge.applyGateway([db]);
    const ancestors = await edge.expectReasons('shared', 'Accepted');
    expect(ancestors[0]).to.deep.equal(foreign);
  });

  it('shows the first target and the first problem in kubectl get', async () => {
    await edge.applyPolicy('wrong', ['TCPRoute/pg', 'Gateway/web'], {
      network: { tcpIdleTimeoutSeconds: 9 },
    });
    await edge.expectReasons('wrong', 'Accepted', 'TargetNotFound');
    const { stdout } = await controlPlane().kubectl([
      'get',
      'realmtrafficpolicies',
      '--namespace',
      edge.namespace,
      '--no-headers',
    ]);
    expect(stdout).to.match(/^wrong +pg +True +TargetNotFound /);
  });

  it('is refused by the API server if a value is out of bounds', async () => {
    const refused = await edge
      .applyPolicy('bad', ['Gateway/web'], { network: { allowedSources: ['10.0.0.0/33'] } })
      .then(
        () => '',
        (error: unknown) => String(error),
      );
    expect(refused).to.include('use an IP address or a range such as 10.0.0.0/8');
  });
});

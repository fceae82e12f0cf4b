import { expect } from 'chai';
import { eventually } from '../../support/eventually.ts';
import { spec } from '../edge.ts';
import { describeGateways, GatewayEdge, installKinds } from './gateway-edge.ts';

const missingMs = 30_000;
const completeMs = 600_000;
const db = { name: 'db', port: 5432, protocol: 'TCP' };

describeGateways('operator and the kinds of the Gateway API', (controlPlane) => {
  let edge: GatewayEdge;

  before(async () => {
    edge = new GatewayEdge(controlPlane(), await controlPlane().namespace());
    await edge.start();
  });

  after(() => edge.stop());

  /** Has the operator ask again for the kinds of the API server. */
  async function passed<T>(
    elapsedMs: number,
    what: string,
    probe: () => Promise<T | undefined | false>,
  ): Promise<T> {
    return eventually(what, async () => {
      edge.clock.jump(elapsedMs);
      return probe();
    });
  }

  function deleteKind(plural: string): Promise<unknown> {
    return controlPlane().kubectl(['delete', 'crd', `${plural}.gateway.networking.k8s.io`, '--wait=true']);
  }

  it('serves RealmRelays where they are missing, and reports no problem', async () => {
    await edge.applyRelay('plain', spec());
    await edge.expectCondition('plain', 'Programmed', 'True', 'Programmed');
    expect(edge.logged.filter((line) => JSON.stringify(line).includes('ateway'))).to.deep.equal([]);
  });

  it('begins to serve Gateways once they are installed', async () => {
    await installKinds(controlPlane());
    await edge.applyClass();
    await edge.applyBackend('pg', ['192.0.2.1']);
    await edge.applyGateway([db]);
    await edge.applyRoute('TCPRoute', 'pg', [{ name: 'pg' }]);
    await passed(missingMs, 'the Deployment', () => edge.find('deployments/web-realm'));
    await edge.expectRemotes('192.0.2.1:8080');
  });

  it('names a kind that is gone in its class, and goes on with the others', async () => {
    await deleteKind('udproutes');
    const path = '/apis/gateway.networking.k8s.io/v1/gatewayclasses/realm';
    type Class = { status?: { conditions?: { type: string; status: string; message: string }[] } };
    const supported = await passed(completeMs, 'SupportedVersion False', async () => {
      const { status } = (await controlPlane().request('GET', path)).json() as Class;
      const found = status?.conditions?.find(({ type }) => type === 'SupportedVersion');
      return found?.status === 'False' && found;
    });
    expect(supported.message).to.include('UDPRoute');
    await edge.applyBackend('pg', ['192.0.2.2']);
    await edge.expectRemotes('192.0.2.2:8080');
  });

  it('leaves what it made alone while the Gateways are gone, and serves them when they are back', async () => {
    await deleteKind('gateways');
    await passed(completeMs, 'the loss noticed', async () => {
      await Promise.resolve();
      const last = edge.logged.findLast(({ msg }) => msg === 'kinds of the Gateway API found');
      return (
        last !== undefined && !(last['kinds'] as string[]).includes('gateway.networking.k8s.io/v1 Gateway')
      );
    });
    // Here no garbage collector deletes it, and a new one of its name would belong to a Gateway that is gone.
    const before = await edge.expect('deployments/web-realm');
    await edge.write('DELETE', 'services/web-realm');
    await edge.applyRelay('plain', spec(9443));
    await edge.expect('services/plain', ({ spec: seen }) => JSON.stringify(seen).includes('9443'));
    expect(await edge.find('services/web-realm')).to.equal(undefined);
    expect((await edge.expect('deployments/web-realm')).metadata.uid).to.equal(before.metadata.uid);
    await installKinds(controlPlane());
    await edge.applyGateway([db]);
    await passed(missingMs, 'the Service', () => edge.find('services/web-realm'));
  });

  it('ends the watches of Services and endpoints with the last class of its own', async () => {
    await edge.expectSliceWatches(1);
    await edge.deleteClass();
    await edge.expectSliceWatches(0);
    await edge.applyBackend('pg', ['192.0.2.3']);
    await edge.applyRelay('plain', spec(9444));
    await edge.expect('services/plain', ({ spec: seen }) => JSON.stringify(seen).includes('9444'));
    await edge.expectRemotes('192.0.2.2:8080');
    await edge.applyClass();
    await edge.expectRemotes('192.0.2.3:8080');
  });
});

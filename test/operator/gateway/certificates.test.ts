import { hash } from 'node:crypto';
import { expect } from 'chai';
import type { Condition } from '../../../src/api/schema/realm-relay.ts';
import type { CertificateRef, Listener } from '../../../src/gateway/types.ts';
import type { CertificateReport } from '../../../src/operator/relay-client.ts';
import { eventually } from '../../support/eventually.ts';
import { describeGateways, GatewayEdge, installKinds } from './gateway-edge.ts';

function terminate(name: string, ...certificateRefs: readonly CertificateRef[]): Listener {
  const tls = { mode: 'Terminate', certificateRefs };
  return { name, port: 443, protocol: 'TLS', hostname: `${name}.example`, tls };
}

describeGateways('operator with Gateways at which TLS ends', (controlPlane) => {
  let edge: GatewayEdge;
  /** What the relay reports of certificates. There is no kubelet here, so the tests answer for its Pod. */
  let certificates: readonly CertificateReport[];

  before(async () => {
    await installKinds(controlPlane());
  });

  beforeEach(async () => {
    certificates = [];
    edge = new GatewayEdge(controlPlane(), await controlPlane().namespace());
    edge.askRelay = async () => {
      const { data } = await edge.expect('configmaps/web-realm-config');
      const configHash = hash('sha256', data?.['config.json'] ?? '');
      return { configHash, configProblem: '', unready: [], certificates };
    };
    await edge.applyClass();
    await edge.start();
  });

  afterEach(() => edge.stop());

  /** Creates the Pod of the Deployment of `web`, which is ready, as its controllers do. */
  async function startPod(): Promise<void> {
    const accounts = `/api/v1/namespaces/${edge.namespace}/serviceaccounts`;
    await controlPlane().request('POST', accounts, { metadata: { name: 'default' } });
    const { spec } = await edge.expect('deployments/web-realm');
    const { template } = spec as unknown as {
      template: { metadata: { labels: Record<string, string> }; spec: object };
    };
    const labels = { ...template.metadata.labels, 'pod-template-hash': 'abc' };
    const owner = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web-realm-abc', controller: true };
    const ownerReferences = [{ ...owner, uid: '00000000-0000-4000-8000-000000000000' }];
    const metadata = { name: 'web-realm-abc-1', labels, ownerReferences };
    await edge.write('POST', 'pods', { metadata, spec: template.spec }, 'application/json');
    const conditions = [{ type: 'Ready', status: 'True', lastTransitionTime: '2026-01-02T03:04:05Z' }];
    const podIP = '192.0.2.1';
    const status = { phase: 'Running', podIP, podIPs: [{ ip: podIP }], conditions };
    const type = 'application/strategic-merge-patch+json';
    await edge.write('PATCH', 'pods/web-realm-abc-1/status', { status }, type);
    await edge.makeReady();
  }

  /** Resolves with the condition ResolvedRefs of a listener once these are its status and reason, and those of Programmed. */
  async function reported(name: string, ...wanted: readonly string[]): Promise<Condition> {
    return eventually(`${name}: ${wanted.join()}`, async () => {
      edge.clock.jump(60_000);
      const { status } = await edge.expectGateway(() => true);
      const { conditions = [] } = status?.listeners?.find((each) => each.name === name) ?? {};
      const [resolved, programmed] = ['ResolvedRefs', 'Programmed'].map((type) =>
        conditions.find((each) => each.type === type),
      );
      const seen = [resolved, programmed].map((each) => `${each?.status ?? ''} ${each?.reason ?? ''}`);
      return seen.join() === wanted.join() && resolved;
    });
  }

  it('mounts their Secrets without reading them, and reports by listener what Pods make of these, and each change', async () => {
    await edge.applyBackend('pg', ['192.0.2.1']);
    await edge.applyGateway([terminate('a', { name: 'one' }), terminate('b', { name: 'two' })]);
    await edge.applyRoute('TLSRoute', 'pg', [{ name: 'pg' }], { hostnames: ['a.example'] });
    const unknown = await reported('a', 'Unknown Pending', 'False Pending');
    expect(unknown.message).to.equal('Whether Secret "one" holds a certificate is known once Pods mount it.');
    await edge.expect('deployments/web-realm', ({ spec }) => {
      const { template } = spec as unknown as { template: { spec: { volumes: { secret?: object }[] } } };
      const secrets = template.spec.volumes.flatMap(({ secret }) => secret ?? []);
      return (
        JSON.stringify(secrets.map((each) => ({ ...each, items: [] }))) ===
        JSON.stringify([
          { secretName: 'one', items: [], defaultMode: 0o440, optional: true },
          { secretName: 'two', items: [], defaultMode: 0o440, optional: true },
        ])
      );
    });
    certificates = [{ name: 'b', message: 'tls.crt: there is no such file', served: false }];
    await startPod();
    await reported('a', 'True ResolvedRefs', 'True Programmed');
    const missing = await reported('b', 'False InvalidCertificateRef', 'False Invalid');
    expect(missing.message).to.equal(
      'Secret "two" gives no valid certificate and key, as tls.crt and tls.key: create or correct it. Pod "web-realm-abc-1": tls.crt: there is no such file.',
    );
    await edge.expectOfGateway('Programmed', 'True', 'Programmed');

    certificates = [
      { name: 'a/' + edge.namespace + '/pg', message: 'tls.key: does not match', served: true },
    ];
    const stale = await reported('a', 'False InvalidCertificateRef', 'True Programmed');
    expect(stale.message).to.contain('The certificate before that stays in use.');
    await reported('b', 'True ResolvedRefs', 'True Programmed');

    certificates = ['a/' + edge.namespace + '/pg', 'b'].map((name) => ({
      name,
      message: 'x',
      served: false,
    }));
    await reported('b', 'False InvalidCertificateRef', 'False Invalid');
    await edge.expectOfGateway('Programmed', 'False', 'Invalid');
  });

  it('refuses a Secret of another namespace, with and without a ReferenceGrant, and follows that', async () => {
    const other = await controlPlane().namespace();
    await edge.stop();
    await edge.start([edge.namespace, other]);
    await edge.applyGateway([
      terminate('a', { name: 'one', namespace: other }),
      terminate('b', { name: 'two' }),
    ]);
    await startPod();
    await reported('a', 'False RefNotPermitted', 'False Invalid');
    await reported('b', 'True ResolvedRefs', 'True Programmed');
    const from = [{ group: 'gateway.networking.k8s.io', kind: 'Gateway', namespace: edge.namespace }];
    const { status, text } = await controlPlane().request(
      'POST',
      `/apis/gateway.networking.k8s.io/v1/namespaces/${other}/referencegrants`,
      {
        apiVersion: 'gateway.networking.k8s.io/v1',
        kind: 'ReferenceGrant',
        metadata: { name: 'g' },
        spec: { from, to: [{ group: '', kind: 'Secret' }] },
      },
    );
    expect(status, text).to.equal(201);
    const { message } = await reported('a', 'False InvalidCertificateRef', 'False Invalid');
    expect(message).to.contain(`copy it to namespace "${edge.namespace}"`);
  });
});

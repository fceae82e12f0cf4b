import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { hasGatewayCrds } from '../../cluster/crds.ts';
import { startNode, type TestNode } from '../../cluster/node.ts';
import { TestPki } from '../../relay/transport/pki.ts';
import { eventually } from '../../support/eventually.ts';
import { backendPort, startBackend } from '../backend.ts';
import { shownSubject } from '../client.ts';
import { applyGateway, installGatewayApi } from '../gateway.ts';
import { imageArchive, kubectl, printDiagnosis } from '../install.ts';

const ports = { early: 7443, late: 7444 };

/** Two listeners at which TLS ends, each with a Secret of its own. */
const listeners = Object.entries(ports).map(([name, port]) => ({
  name,
  port,
  protocol: 'TLS',
  tls: { mode: 'Terminate', certificateRefs: [{ name }] },
}));
const service = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'backend' },
  spec: { selector: { app: 'backend' }, ports: [{ port: 80, targetPort: backendPort }] },
};

type Listeners = Readonly<Record<string, Readonly<Record<string, string>>>>;

const title = hasGatewayCrds ? '' : ' (skipped: `make cluster` could not fetch the CRDs of the Gateway API)';

(hasGatewayCrds ? describe : describe.skip)(`a Gateway whose Secret is missing${title}`, () => {
  let node: TestNode;
  let namespace: string;
  let pki: TestPki;

  before('start a node with an operator, the Gateway API and a Gateway', async () => {
    pki = new TestPki();
    node = await startNode([imageArchive]);
    namespace = await installGatewayApi(node);
    await createSecret('early');
    await applyGateway(node, namespace, listeners, [service]);
    await startBackend(node, namespace, 'backend');
  });

  afterEach(async function () {
    if (this.currentTest?.state === 'failed') await printDiagnosis(node, namespace);
  });

  after('stop the node', async () => {
    (pki as TestPki | undefined)?.remove(); // undefined if it never started
    await (node as TestNode | undefined)?.stop();
  });

  async function createSecret(name: string): Promise<void> {
    const { cert, key } = pki.pair(`${name}.example`);
    const files = [`--cert=${cert}`, `--key=${key}`];
    await kubectl(node, ['-n', namespace, 'create', 'secret', 'tls', name, ...files]);
  }

  /** The first address, and the reasons of the conditions of each listener by their types. */
  async function seen(): Promise<{ address: string | undefined; listeners: Listeners }> {
    const text = await kubectl(node, ['-n', namespace, 'get', 'gateway/edge', '-o', 'json']);
    const { status } = JSON.parse(text) as {
      status?: {
        addresses?: { value: string }[];
        listeners?: { name: string; conditions: { type: string; reason: string }[] }[];
      };
    };
    const shown = (status?.listeners ?? []).map(({ name, conditions }) => [
      name,
      Object.fromEntries(conditions.map(({ type, reason }) => [type, reason])),
    ]);
    return { address: status?.addresses?.[0]?.value, listeners: Object.fromEntries(shown) as Listeners };
  }

  async function podNames(): Promise<string> {
    const selector = 'gateway.networking.k8s.io/gateway-name=edge';
    return kubectl(node, ['-n', namespace, 'get', 'pods', '-l', selector, '-o', 'name']);
  }

  it('serves its other listeners, and the Secret once it is there, without a new Pod', async function () {
    this.timeout(700_000);
    const before = await eventually('the other listener is programmed', async () => {
      const now = await seen();
      return now.listeners['early']?.['Programmed'] === 'Programmed' && now;
    });
    expect(before.listeners['early']).to.include({ ResolvedRefs: 'ResolvedRefs' });
    expect(before.listeners['late']).to.include({
      ResolvedRefs: 'InvalidCertificateRef',
      Programmed: 'Invalid',
    });
    const ca = readFileSync(pki.ca);
    const shown = (port: number) => shownSubject(before.address ?? '', port, ca);
    expect(await shown(ports.early)).to.equal('CN=early.example');
    const pods = await podNames();
    await createSecret('late');
    // kubelet looks for a Secret once a minute or so, and the operator asks the Pod as often
    const patience = { timeoutMs: 300_000, intervalMs: 500 };
    await eventually(
      'its clients are served',
      async () => (await shown(ports.late)) === 'CN=late.example',
      patience,
    );
    await eventually(
      'its listener is programmed',
      async () => (await seen()).listeners['late']?.['Programmed'] === 'Programmed',
      patience,
    );
    expect(await podNames()).to.equal(pods);
    expect((await seen()).listeners['late']).to.include({ ResolvedRefs: 'ResolvedRefs' });
  });
});

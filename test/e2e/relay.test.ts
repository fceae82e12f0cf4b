import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { adminPort } from '../../src/api/schema/endpoint.ts';
import { eventually } from '../support/eventually.ts';
import { startNode, type TestNode } from '../cluster/node.ts';
import { type Backend, startBackend } from './backend.ts';
import { TestPki } from '../relay/transport/pki.ts';
import { backendAt, echoLine, exchange, greet, shownSubject, udpAnswer } from './client.ts';
import { imageArchive, installOperator, kubectl, printDiagnosis } from './install.ts';
import {
  applyRelay,
  applyTlsSecret,
  type ClusterAddresses,
  clusterAddresses,
  objectsOf,
  ownLeftovers,
  readyMessage,
  relayManifest,
  relayPods,
  webEndpoints,
} from './relay.ts';
import type { Place } from './place.ts';
import { forbiddenRequests, grantedRights, usedRights } from './rights.ts';
import { describeServices } from './service.ts';
import { expectTop } from './top.ts';
import { describeWorkloads } from './workload.ts';

const port = 443;
const exchangedBytes = 64 * 1024 * 1024;
// On its own, kubelet refreshes a ConfigMap in a Pod after a minute or two; an earlier refresh proves that it was
// requested.
const reloadTimeoutMs = 30_000;

// Rights that never appear in the audit log here. An apply also requires `create`; an owner reference that blocks requires
// `update` of finalizers (this node runs the plugin OwnerReferencesPermissionEnforcement); `list` is for API servers that
// cannot stream lists through watch, unlike this one; events are listed if the Pods of a DaemonSet are refused.
const companions = [
  'apps/daemonsets',
  'autoscaling/horizontalpodautoscalers',
  'networking.k8s.io/networkpolicies',
  'policy/poddisruptionbudgets',
];
// Used only while a DaemonSet lacks Pods, which the operator may or may not see.
const rightsByChance = new Set(['list events.k8s.io/events']);

const unseenRights = [
  ...companions.flatMap((kind) => [`create ${kind}`, `list ${kind}`]),
  'create /configmaps',
  'create /services',
  'create apps/deployments',
  'list /configmaps',
  'list /services',
  'list apps/deployments',
  'list realm-operator.dev/realmrelays',
  'update realm-operator.dev/realmrelays/finalizers',
];

describe('a RealmRelay on a real node', () => {
  let node: TestNode;
  let namespace: string;
  let six: Backend;
  let four: Backend;
  let web: ClusterAddresses;

  before('start a node', async () => {
    node = await startNode([imageArchive]);
    namespace = await node.namespace({ 'pod-security.kubernetes.io/enforce': 'restricted' });
    [six, four] = await Promise.all([
      startBackend(node, namespace, 'backend-six'),
      startBackend(node, namespace, 'backend-four'),
    ]);
  });

  afterEach(async function () {
    if (this.currentTest?.state === 'failed') await printDiagnosis(node, namespace);
  });

  after('stop the node', async () => {
    await (node as TestNode | undefined)?.stop(); // undefined if it never started
  });

  it('is served by an operator installed with kubectl apply -k', () => installOperator(node));

  it('becomes Ready, with one port below 1024 for both families', async () => {
    await applyRelay(node, namespace, 'web', webEndpoints(six, four));
    web = await clusterAddresses(node, namespace, 'web');
  });

  it('relays each family to its own backend', async () => {
    expect(await backendAt(web.ipv6, port)).to.equal('backend-six');
    expect(await backendAt(web.ipv4, port)).to.equal('backend-four');
  });

  it('moves bytes in the kernel, in a restricted Pod, and reports that in log, status and metrics', async () => {
    const [pod = ''] = await relayPods(node, namespace, 'web');
    const log = (await kubectl(node, ['-n', namespace, 'logs', pod])).trim().split('\n');
    const lines = log.map((line) => JSON.parse(line) as { readonly msg: string; readonly engine?: string });
    expect(lines.find(({ msg }) => msg === 'relay started')?.engine).to.equal('kernel');

    const ip = await kubectl(node, ['-n', namespace, 'get', pod, '--output=jsonpath={.status.podIP}']);
    const admin = new URL(`http://${ip}:${String(adminPort)}`);
    const status: unknown = await (await fetch(new URL('/status', admin))).json();
    expect(status).to.have.property('engine', 'kernel');
    const metrics = await (await fetch(new URL('/metrics', admin))).text();
    expect(metrics).to.contain('realm_relay_engine_info{engine="kernel"} 1');
  });

  it('shows the live traffic of its Pod in top, and in kubectl realm top', async () => {
    const [pod = ''] = await relayPods(node, namespace, 'web');
    await expectTop(node, { namespace, pod, address: web.ipv4, port });
  });

  for (const family of ['ipv4', 'ipv6'] as const) {
    it(`relays 64 MiB in both directions over ${family}`, async () => {
      const { sentSha256, receivedSha256, receivedBytes } = await exchange(web[family], port, exchangedBytes);
      expect(receivedBytes).to.equal(exchangedBytes);
      expect(receivedSha256).to.equal(sentSha256);
    });
  }

  it('relays datagrams of both families', async () => {
    const endpoint = {
      name: 'dns',
      listen: { address: '::', port: 53 },
      remotes: [{ address: six.ipv6, port: 8080 }],
      network: { tcp: false, udp: true },
    };
    await applyRelay(node, namespace, 'dns', [endpoint]);
    const dns = await clusterAddresses(node, namespace, 'dns');
    expect(await udpAnswer(dns.ipv4, 53, 'over IPv4')).to.equal('backend-six over IPv4');
    expect(await udpAnswer(dns.ipv6, 53, 'over IPv6')).to.equal('backend-six over IPv6');
  });

  it('names a missing Secret, serves TLS once it exists, and loads a renewed one without a restart', async () => {
    const pki = new TestPki();
    try {
      const endpoint = {
        name: 'tls',
        listen: { address: '::', port: 8443 },
        remotes: [{ address: six.ipv6, port: 8080 }],
        listenTransport: { tls: { secretName: 'web-tls' } },
      };
      await kubectl(node, ['-n', namespace, 'apply', '-f', '-'], relayManifest('tls', [endpoint]));
      await eventually('the Secret named', async () => {
        return (await readyMessage(node, namespace, 'tls')).includes('"web-tls" (tls.crt, tls.key)');
      });
      await applyTlsSecret(node, namespace, 'web-tls', pki.pair('first.example'));
      await applyRelay(node, namespace, 'tls', [endpoint]);
      const { ipv6 } = await clusterAddresses(node, namespace, 'tls');
      const ca = readFileSync(pki.ca);
      expect(await shownSubject(ipv6, 8443, ca)).to.equal('CN=first.example');
      const pods = await relayPods(node, namespace, 'tls');
      await applyTlsSecret(node, namespace, 'web-tls', pki.pair('second.example'));
      // On its own, kubelet syncs after a minute or two; any change of the Pod makes it sync at once.
      await kubectl(node, ['-n', namespace, 'annotate', ...pods, 'example.com/look=now']);
      await eventually('the renewed certificate', async () => {
        return (await shownSubject(ipv6, 8443, ca)) === 'CN=second.example';
      });
      expect(await relayPods(node, namespace, 'tls')).to.deep.equal(pods);
    } finally {
      pki.remove();
    }
  });

  it('is rejected when it is applied with endpoints that conflict', async () => {
    const endpoints = webEndpoints(six, four).map((endpoint) => ({ ...endpoint, network: {} }));
    const apply = ['-n', namespace, 'apply', '-f', '-'];
    const { code, stderr } = await node.kubectl(apply, relayManifest('conflict', endpoints));
    expect(code).to.equal(1);
    expect(stderr).to.match(/web-v6.*web-v4|web-v4.*web-v6/);
  });

  it('relays to another remote within seconds of an edit, in the running Pods', async () => {
    const pods = await relayPods(node, namespace, 'web');
    await applyRelay(node, namespace, 'web', webEndpoints(four, six));
    await eventually(
      'the new remotes reached',
      async () => {
        const reached = [await backendAt(web.ipv6, port), await backendAt(web.ipv4, port)];
        return reached.join() === 'backend-four,backend-six';
      },
      { timeoutMs: reloadTimeoutMs, intervalMs: 100 },
    );
    await kubectl(node, ['-n', namespace, 'wait', '--for=condition=Ready', 'rr/web', '--timeout=10s']);
    expect(await relayPods(node, namespace, 'web')).to.deep.equal(pods);
  });

  it('lets a connection end when its Pod is stopped', async () => {
    const [pod = ''] = await relayPods(node, namespace, 'web');
    const { socket } = await greet(web.ipv6, port);
    expect(await echoLine(socket, 'before')).to.equal('before');
    await kubectl(node, ['-n', namespace, 'delete', '--wait=false', pod]);
    await eventually('a relay in place of the stopped one', async () => {
      const ready = ['wait', '--for=condition=Available', 'deployment/web', '--timeout=1s'];
      const isReady = (await node.kubectl(['-n', namespace, ...ready])).code === 0;
      return isReady && (await relayPods(node, namespace, 'web')).length === 2;
    });
    expect(await echoLine(socket, 'while it drains')).to.equal('while it drains');
    socket.end();
    await eventually('the stopped Pod gone', async () => {
      return !(await relayPods(node, namespace, 'web')).includes(pod);
    });
  });

  it('loses its Service when the Service is disabled', async () => {
    const patch = JSON.stringify({ spec: { service: { enabled: false } } });
    await kubectl(node, ['-n', namespace, 'patch', 'realmrelay', 'dns', '--type=merge', '--patch', patch]);
    await eventually('the Service gone', async () => {
      return (await node.request('GET', `/api/v1/namespaces/${namespace}/services/dns`)).status === 404;
    });
  });

  it('loses objects that it owns but no longer needs', async () => {
    await ownLeftovers(node, namespace, 'web');
    await eventually('leftovers gone', async () => {
      return !(await objectsOf(node, namespace, 'web')).some((object) => object.endsWith('-left'));
    });
  });

  it('leaves nothing when it is deleted', async () => {
    await kubectl(node, ['-n', namespace, 'delete', 'realmrelays', 'web', 'dns', 'tls']);
    for (const name of ['web', 'dns', 'tls']) {
      await eventually(
        `nothing left of ${name}`,
        async () => (await objectsOf(node, namespace, name)).length === 0,
        { timeoutMs: 60_000, intervalMs: 200 },
      );
    }
  });

  const place = (): Place => ({ node, namespace, six, four });
  describeServices(place);
  describeWorkloads(place);

  // In a separate suite, because suites run after the tests beside them.
  describe('after all that', () => {
    it('has used exactly the rights that the operator has', async () => {
      const used = usedRights(node);
      const granted = await grantedRights(node, 'realm-operator');
      const unused = [...granted].filter((right) => !used.has(right) && !rightsByChance.has(right));
      expect(unused).to.have.members(unseenRights);
      expect(forbiddenRequests(node)).to.deep.equal([]);
    });
  });
});

// How long a changed endpoint takes until the Pod of a Gateway runs it, on the real node of test/cluster. Needs what `make e2e` needs.
import { spawnSync } from 'node:child_process';
import { get } from 'node:http';
import { loadavg } from 'node:os';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import type { IncomingMessage } from 'node:http';
import { startNode, type TestNode } from '../test/cluster/node.ts';
import { applyGateway, installGatewayApi } from '../test/e2e/gateway.ts';
import { imageArchive, kubectl } from '../test/e2e/install.ts';
import { eventually } from '../test/support/eventually.ts';
import { ownNetwork, prepareNode } from '../tools/node.ts';

const changes = Number(process.env['CHANGES'] ?? 30);
/** More than the second in which a Gateway gets one configuration at most, so that each change is the first of its own. */
const betweenMs = 1_500;
const pollMs = 10;
const adminPort = 9465;

const service = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: 'backend' },
  spec: { ports: [{ name: 'p', port: 80 }] },
};

/** The endpoint of change `index`, at an address that nobody has (RFC 5737). */
function address(index: number): string {
  return `192.0.2.${String((index % 250) + 1)}`;
}

async function setEndpoint(node: TestNode, namespace: string, index: number): Promise<void> {
  const path = `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices/backend`;
  const body = {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: 'backend', labels: { 'kubernetes.io/service-name': 'backend' } },
    addressType: 'IPv4',
    ports: [{ name: 'p', port: 8080, protocol: 'TCP' }],
    endpoints: [{ addresses: [address(index)] }],
  };
  const { status, text: answer } = await node.request(
    'PATCH',
    `${path}?fieldManager=bench&force=true`,
    body,
    'application/apply-patch+yaml',
  );
  if (status >= 300) throw new Error(`${path}: ${String(status)} ${answer}`);
}

/** The remotes that the relay at `pod` runs. */
async function remotesAt(pod: string): Promise<readonly string[]> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  get({ host: pod, port: adminPort, path: '/status', agent: false }, resolve).on('error', reject);
  const { endpoints } = JSON.parse(await text(await promise)) as { endpoints: { remotes: string[] }[] };
  return endpoints.flatMap(({ remotes }) => remotes);
}

async function runs(pod: string, index: number): Promise<void> {
  const wanted = `${address(index)}:8080`;
  for (;;) {
    const remotes = await remotesAt(pod);
    if (remotes.includes(wanted)) return;
    await delay(pollMs);
  }
}

async function measure(node: TestNode): Promise<number[]> {
  const namespace = await installGatewayApi(node);
  await applyGateway(node, namespace, [{ name: 'tcp', port: 7000, protocol: 'TCP' }], [service]);
  await setEndpoint(node, namespace, 0);
  const pod = await eventually('the Pod has an address', async () => {
    const args = ['-n', namespace, 'get', 'pods', '-o', 'jsonpath={.items[*].status.podIP}'];
    return (await kubectl(node, args)) || undefined;
  });
  await eventually('the relay answers', async () => (await remotesAt(pod).catch(() => [])).length > 0);
  const taken: number[] = [];
  for (let index = 1; index <= changes; index += 1) {
    await delay(betweenMs);
    const startMs = performance.now();
    await setEndpoint(node, namespace, index);
    await runs(pod, index);
    taken.push(performance.now() - startMs);
  }
  return taken.toSorted((a, b) => a - b);
}

async function inOwnNetwork(): Promise<void> {
  const node = await startNode([imageArchive]);
  try {
    const taken = await measure(node);
    const at = (share: number): string => (taken[Math.floor(share * (taken.length - 1))] ?? 0).toFixed(0);
    const [load = 0] = loadavg();
    process.stdout.write(
      `a changed endpoint → the Pod runs it: median ${at(0.5)} ms, p90 ${at(0.9)}, ${at(0)} to ${at(1)}; ${String(taken.length)} changes, load ${load.toFixed(0)}\n`,
    );
  } finally {
    await node.stop();
  }
}

if (process.argv[2] === 'node') await inOwnNetwork();
else if ((await prepareNode()) !== 'ready') process.exitCode = 1;
else {
  const [wrapper = '', ...args] = ownNetwork;
  const self = [...args, process.execPath, import.meta.filename, 'node'];
  process.exitCode = spawnSync(wrapper, self, { stdio: 'inherit' }).status ?? 1;
}

// Runs the Gateway API's conformance suite on a real node; README.md says how.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { crdsServed } from '../cluster/crds.ts';
import { startNode, type TestNode } from '../cluster/node.ts';
import {
  imageArchive,
  imageTag,
  installOperator,
  kubectl,
  operatorNamespace,
  printDiagnosis,
} from '../e2e/install.ts';
import { type Family, LoadBalancer } from './load-balancer.ts';

const bin = join(import.meta.dirname, 'bin');
const className = 'realm';
const suiteNamespace = 'gateway-conformance-infra';
const startMs = Date.now();

type Settings = { readonly addresses: 'LoadBalancer' | 'ClusterIP'; readonly family: Family };

/** The GatewayClass, and its parameters: which type of Service Gateways have, and which family comes first. */
function manifests({ addresses, family }: Settings): object[] {
  const parameters = {
    apiVersion: 'realm-operator.dev/v1alpha1',
    kind: 'RealmGatewayParameters',
    metadata: { name: className, namespace: operatorNamespace },
    spec: {
      service: { type: addresses, ipFamilies: family === 'IPv4' ? ['IPv4', 'IPv6'] : ['IPv6', 'IPv4'] },
    },
  };
  const { kind, metadata } = parameters;
  const parametersRef = { group: 'realm-operator.dev', kind, ...metadata };
  const gatewayClass = {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'GatewayClass',
    metadata: { name: className },
    spec: { controllerName: 'realm-operator.dev/gateway-controller', parametersRef },
  };
  return [parameters, gatewayClass];
}

/** What the report says of us. */
const described = [
  '--organization=realm-operator',
  '--project=realm-operator',
  '--url=https://github.com/realm-operator/realm-operator',
  '--contact=https://github.com/realm-operator/realm-operator/issues',
  `--version=v${imageTag}`,
];
const profiles = [
  '--conformance-profiles=GATEWAY-TCP,GATEWAY-TLS,GATEWAY-UDP',
  '--supported-features=Gateway,ReferenceGrant,TCPRoute,TLSRoute,TLSRouteModeMixed,TLSRouteModeTerminate,UDPRoute',
];

function say(text: string): void {
  process.stdout.write(`[${((Date.now() - startMs) / 1000).toFixed(1)} s] ${text}\n`);
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      addresses: { type: 'string', default: 'LoadBalancer' },
      family: { type: 'string', default: 'IPv4' },
      out: { type: 'string', default: join(bin, 'out') },
    },
  });
  const settings = checked(values);
  const out = resolve(values.out);
  mkdirSync(out, { recursive: true });
  const images = readdirSync(join(bin, 'images')).map((name) => join(bin, 'images', name));
  const node = await startNode([...images, imageArchive]);
  say('node Ready, images loaded');
  const balancer = new LoadBalancer(node);
  try {
    await kubectl(node, ['apply', '--server-side', '-f', join(bin, 'crds')]);
    await crdsServed((args) => kubectl(node, args));
    await balancer.start();
    await installOperator(node);
    for (const manifest of manifests(settings))
      await kubectl(node, ['apply', '-f', '-'], JSON.stringify(manifest));
    say('operator Available');
    const log = join(out, 'conformance.log');
    const report = `--report-output=${join(out, 'report.yaml')}`;
    const chosen = positionals.length > 0 ? positionals : profiles;
    const code = await runSuite(node, [...described, report, ...chosen], log);
    if (code !== 0) await printDiagnosis(node, suiteNamespace);
    say(`log and report: ${out}`);
    process.stdout.write(`${closingLine(readFileSync(log, 'utf8'), code)}\n`);
    return code;
  } finally {
    balancer.stop();
    await node.stop();
  }
}

function checked({ addresses, family }: { addresses: string; family: string }): Settings {
  if (addresses !== 'LoadBalancer' && addresses !== 'ClusterIP')
    throw new Error(`--addresses=${addresses}: use LoadBalancer or ClusterIP`);
  if (family !== 'IPv4' && family !== 'IPv6') throw new Error(`--family=${family}: use IPv4 or IPv6`);
  return { addresses, family };
}

async function runSuite(node: TestNode, flags: readonly string[], log: string): Promise<number> {
  const file = createWriteStream(log);
  const ours = ['-test.run=TestConformance', '-test.v', '-test.timeout=60m', `--gateway-class=${className}`];
  const child = spawn(join(bin, 'conformance.test'), [...ours, ...flags], {
    env: { ...process.env, KUBECONFIG: node.kubeconfig },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  for (const stream of [child.stdout, child.stderr]) stream.pipe(file, { end: false });
  const [code] = (await once(child, 'close')) as [number | null];
  file.end();
  await once(file, 'close');
  return code ?? -1;
}

/** Of what was asked for: what the suite leaves out for lack of a feature does not count. Its setup counts where it fails. */
function closingLine(log: string, code: number): string {
  const count = (pattern: RegExp): number => log.match(pattern)?.length ?? 0;
  const failed = count(/^ {4}--- FAIL: /gm);
  return [
    `${String(count(/^ {4}--- PASS: /gm))} passed`,
    `${String(code !== 0 && failed === 0 ? 1 : failed)} failed`,
    `${String(count(/: test explicitly skipped$/gm))} skipped`,
  ].join(', ');
}

process.exitCode = await main();

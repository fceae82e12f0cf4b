import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { expect } from 'chai';
import { dump } from 'js-yaml';
import { defaultRelayImage } from '../../src/desired/relay-image.ts';
import { relayDefaults as acceptedDefaults } from '../../src/cli/flag-values.ts';
import { version } from '../../src/lib/version.ts';
import { describeWithHelm, judge } from '../cluster/helm.ts';
import { run, runOrThrow } from '../cluster/run.ts';
import { describeWithCluster } from '../cluster/shared.ts';
import { emptyPaths } from '../support/empty-paths.ts';
import {
  chart,
  type Container,
  find,
  matrix,
  operatorContainer,
  releaseNamespace,
  rendered,
  watchedNamespaces,
} from './chart.ts';

const monitoring = 'monitoring.coreos.com/v1';
const operatorPolicy = 'realm-operator.realm-operator-system.operator.realm-operator.dev';

describeWithHelm('chart', (helm) => {
  it('passes helm lint', async () => {
    const stdout = await helm.runOrThrow(['lint', '--strict', chart]);
    expect(stdout).to.include('0 chart(s) failed');
  });

  for (const [title, values] of Object.entries(matrix)) {
    it(`renders no empty values: ${title}`, async () => {
      expect(emptyPaths(await rendered(helm, values))).to.deep.equal([]);
    });
  }

  it('runs this version, with the relay image of its own default', async () => {
    const { image, args } = operatorContainer(await rendered(helm));
    expect(args).to.include(`--relay-image=${defaultRelayImage}`);
    expect(image).to.equal(defaultRelayImage); // one image contains both programs
  });

  const engines = [
    { values: {}, args: [], why: 'by default the relay decides' },
    { values: matrix['relays on the modules of Node.js'], args: ['--relay-engine=node'], why: 'node' },
  ];
  for (const { values, args, why } of engines) {
    it(`passes the engine of relays to the operator: ${why}`, async () => {
      const all = operatorContainer(await rendered(helm, values)).args;
      expect(all.filter((arg) => arg.startsWith('--relay-engine'))).to.deep.equal(args);
    });
  }

  const denied = [
    { values: {}, args: [], why: 'by default the operator decides' },
    { values: { deniedDestinations: [] }, args: ['--denied-destinations='], why: 'none' },
    {
      values: matrix['destinations of its own that are denied'],
      args: ['--denied-destinations=10.0.0.0/8,2001:db8::/32'],
      why: 'a list',
    },
  ];
  for (const { values, args, why } of denied) {
    it(`passes denied destinations to the operator: ${why}`, async () => {
      const all = operatorContainer(await rendered(helm, values)).args;
      expect(all.filter((arg) => arg.startsWith('--denied-destinations'))).to.deep.equal(args);
    });
  }

  it('grants rights only in the watched namespaces, and to its lease in its own', async () => {
    const manifests = await rendered(helm, matrix['some namespaces']);
    const cluster = manifests.filter(({ kind }) => /^ClusterRole/.test(kind));
    const roles = manifests.filter(({ kind }) => kind === 'Role' || kind === 'RoleBinding');
    const names = cluster.map(({ metadata }) => metadata.name);
    expect(names).to.have.members(['realm-operator-view', 'realm-operator-edit']); // those of users
    const places = [...watchedNamespaces, 'realm-operator-system'];
    expect(roles.map(({ kind, metadata }) => `${kind} ${String(metadata['namespace'])}`)).to.deep.equal(
      ['Role', 'RoleBinding'].flatMap((kind) => places.map((name) => `${kind} ${name}`)),
    );
    const options = watchedNamespaces.map((name) => `--namespace=${name}`);
    expect(operatorContainer(manifests).args).to.include.members(options);
    const [{ rules }, { rules: clusterRules }] = [
      find(manifests, 'Role'),
      find(await rendered(helm), 'ClusterRole'),
    ];
    expect(rules).to.deep.equal(clusterRules);
    expect(operatorContainer(manifests).args).to.include('--no-gateway-api');
  });

  it('grants rights to Gateways in the watched namespaces if they are served there, and to their classes', async () => {
    const [some, all, none] = await Promise.all(
      [matrix['the Gateway API in some namespaces'], {}, matrix['no Gateway API']].map((values) =>
        rendered(helm, values),
      ),
    );
    const rulesOf = (manifests: typeof some, kind: string): string[] =>
      (manifests ?? [])
        .filter((manifest) => manifest.kind === kind)
        .flatMap(({ rules }) => (rules as object[]).map((rule) => JSON.stringify(rule)));
    expect(rulesOf(some, 'ClusterRole').every((rule) => rulesOf(all, 'ClusterRole').includes(rule))).to.be
      .true;
    const ofGateways = (rules: readonly string[]): string[] =>
      rules.filter((rule) => rule.includes('gateway.networking'));
    const inEach = [
      ...new Set(ofGateways(rulesOf(some, 'Role'))),
      ...ofGateways(rulesOf(some, 'ClusterRole')),
    ];
    expect(inEach).to.have.members(ofGateways(rulesOf(all, 'ClusterRole')));
    expect(ofGateways(rulesOf(none, 'ClusterRole'))).to.deep.equal([]);
    expect(operatorContainer(some ?? []).args).to.not.include('--no-gateway-api');
    expect(operatorContainer(none ?? []).args).to.include('--no-gateway-api');
  });

  it('references an image by its digest if one is set', async () => {
    const { image, args } = operatorContainer(await rendered(helm, matrix['images by digest']));
    expect(image).to.match(/^registry\.example:5000\/a\/operator@sha256:[0-9a-f]{64}$/);
    expect(args[1]).to.match(/^--relay-image=registry\.example:5000\/a\/relay@sha256:[0-9a-f]{64}$/);
  });

  it('names another registry, no user and the defaults of relays, and the operator accepts them', async () => {
    const values = matrix['an OpenShift with a registry of its own'];
    const manifests = await rendered(helm, values);
    const { image, args } = operatorContainer(manifests);
    const path = 'registry.example:5000/mirror/realm-operator/realm-operator:';
    expect([image, args[1]]).to.deep.equal([`${path}${version}`, `--relay-image=${path}${version}`]);
    expect(JSON.stringify(manifests)).to.not.match(/"(runAsUser|runAsGroup|fsGroup)"/);
    expect(args).to.include('--omit-user-ids');
    const defaults = args.find((arg) => arg.startsWith('--relay-defaults=')) ?? '';
    const { relayDefaults } = values as { relayDefaults: object };
    expect(JSON.parse(defaults.replace('--relay-defaults=', ''))).to.deep.equal(relayDefaults);
    const accepted = acceptedDefaults(defaults.replace('--relay-defaults=', ''));
    expect(accepted.podTemplate.imagePullSecrets).to.deep.equal(['registry']);
  });

  it('adds arguments, variables, volumes, names and fields of security contexts, and keeps its own', async () => {
    const manifests = await rendered(helm, matrix['names and fields of its own']);
    const deployment = find(manifests, 'Deployment') as unknown as {
      metadata: { name: string; labels: Record<string, string> };
      spec: {
        template: { spec: Record<string, unknown> & { containers: [Container & Record<string, unknown>] } };
      };
    };
    const { containers, ...pod } = deployment.spec.template.spec;
    const [container] = containers;
    expect(deployment.metadata.name).to.equal('realm-operator-relays');
    expect(deployment.metadata.labels).to.include({
      'app.kubernetes.io/name': 'relays',
      'example.com/team': 'edge',
    });
    expect(container.args.at(-1)).to.equal('--lease-seconds=30');
    expect(container['env']).to.deep.include({ name: 'HTTPS_PROXY', value: 'http://proxy.example:3128' });
    expect(container['volumeMounts']).to.deep.equal([{ name: 'cache', mountPath: '/var/cache' }]);
    expect(pod['volumes']).to.deep.equal([{ name: 'cache', emptyDir: { medium: 'Memory' } }]);
    expect(pod['securityContext']).to.deep.equal({
      runAsNonRoot: true,
      runAsUser: 1000,
      runAsGroup: 65_532,
      fsGroup: 65_532,
      seccompProfile: { type: 'RuntimeDefault' },
    });
    expect(container['securityContext']).to.deep.include({
      readOnlyRootFilesystem: true,
      seccompProfile: { type: 'RuntimeDefault' },
    });
    for (const { kind, metadata } of manifests.filter(
      (each) => !JSON.stringify(each).includes('helm.sh/hook'),
    ))
      expect(JSON.stringify(metadata['labels']), kind).to.include('"example.com/team":"edge"');
  });

  it('renders the CRD and the policies of RealmRelays together, by one value', async () => {
    const manifests = await rendered(helm, matrix['no CRD']);
    expect(manifests.map(({ kind }) => kind)).not.to.include.members(['CustomResourceDefinition']);
    const policies = manifests.filter(({ kind }) => kind === 'ValidatingAdmissionPolicy');
    expect(policies.map(({ metadata }) => metadata.name)).to.deep.equal([operatorPolicy]);
    const none = await rendered(helm, matrix['no admission policies but the first']);
    const left = none.filter(({ kind }) => kind === 'ValidatingAdmissionPolicy');
    expect(left.map(({ metadata }) => metadata.name)).to.deep.equal(['realmrelays.realm-operator.dev']);
  });

  it('binds the policy of the operator to the account that the chart creates, in its namespace', async () => {
    const flags = ['--namespace', 'elsewhere', '--show-only', 'templates/admission-operator.yaml'];
    const text = await helm.runOrThrow(['template', 'edge', chart, ...flags]);
    expect(text).to.include("username == 'system:serviceaccount:elsewhere:edge-realm-operator'");
    const names = text.match(/ame: edge-realm-operator\.elsewhere\.operator\.realm-operator\.dev$/gm);
    expect(names).to.have.lengthOf(3); // of the policy, of the binding, and in it
    const mine = await rendered(helm, matrix['objects that are there already']);
    expect(JSON.stringify(mine)).to.include("'system:serviceaccount:realm-operator-system:mine'");
  });

  it('keeps names within their maximum lengths', async () => {
    const release = 'a'.repeat(53);
    const values = JSON.stringify(matrix['monitoring']);
    const stdout = await helm.runOrThrow(
      ['template', release, chart, '--values', '-'],
      JSON.parse(values) as object,
    );
    const names = [...stdout.matchAll(/^ {2}name: (.*)$/gm)].map(([, name = '']) => name);
    const policies = names.filter((name) => name.endsWith('.operator.realm-operator.dev'));
    const others = names.filter((name) => !policies.includes(name));
    expect(policies).to.have.lengthOf(2);
    expect(Math.max(...policies.map((name) => name.length))).to.be.at.most(253 - 63); // with a longer namespace
    expect(Math.max(...others.map((name) => name.length))).to.be.at.most(63);
  });
});

describeWithHelm('chart: values that are not valid', (helm) => {
  const cases: { values: object; message: RegExp; why: string }[] = [
    { values: { replica: 1 }, message: /additional properties 'replica' not allowed/, why: 'misspelt' },
    {
      values: { crds: { install: true } },
      message: /at '\/crds': additional properties 'install'/,
      why: 'misspelt, in a nested field',
    },
    {
      values: { replicaCount: 6 },
      message: /at '\/replicaCount': maximum: got 6, want 5/,
      why: 'two active operators would do everything twice',
    },
    {
      values: { replicaCount: '1' },
      message: /at '\/replicaCount': got string, want integer/,
      why: 'a number in quotes',
    },
    {
      values: { watchNamespaces: 'edge' },
      message: /at '\/watchNamespaces': got string, want array/,
      why: 'not a list',
    },
    { values: { watchNamespaces: ['edge', 'edge'] }, message: /items at 0 and 1 are equal/, why: 'twice' },
    {
      values: { watchNamespaces: ['Edge_1'] },
      message: /'Edge_1' does not match pattern/,
      why: 'not a valid namespace',
    },
    {
      values: { deniedDestinations: ['metadata.example'] },
      message: /'metadata.example' does not match pattern/,
      why: 'a name, not an address',
    },
    {
      values: { relayEngine: 'rust' },
      message: /at '\/relayEngine': value must be one of/,
      why: 'not an engine',
    },
    {
      values: { image: { digest: 'sha256:12' } },
      message: /at '\/image\/digest': 'sha256:12' does not match/,
      why: 'an incomplete digest',
    },
    { values: { relayImage: { tag: '' } }, message: /at '\/relayImage/, why: 'neither tag nor digest' },
    {
      values: { logLevel: 'loud' },
      message: /at '\/logLevel': value must be one of 'off', 'error'/,
      why: 'not a log level',
    },
    {
      values: { podLabels: { 'app.kubernetes.io/name': 'x' } },
      message: /at '\/podLabels\/app.kubernetes.io~1name'/,
      why: 'a label that the selector uses',
    },
    {
      values: { commonLabels: { 'app.kubernetes.io/instance': 'x' } },
      message: /at '\/commonLabels\/app.kubernetes.io~1instance'/,
      why: 'a label that the selector uses, on every object',
    },
    { values: { extraArgs: ['lease-seconds=30'] }, message: /at '\/extraArgs\/0'/, why: 'not a flag' },
    {
      values: { extraEnv: [{ value: 'x' }] },
      message: /missing property 'name'/,
      why: 'a variable without a name',
    },
    {
      values: { metrics: { prometheusRule: { runbookUrl: 'docs/runbooks.md' } } },
      message: /at '\/metrics\/prometheusRule\/runbookUrl'/,
      why: 'not a URL',
    },
    {
      values: { admission: { requester: { allowedKeyPrefixes: [''] } } },
      message: /at '\/admission\/requester\/allowedKeyPrefixes\/0': '' does not match pattern/,
      why: 'every key begins with an empty prefix',
    },
    {
      values: { admission: { requester: { allowedTolerations: ["a'b"] } } },
      message: /at '\/admission\/requester\/allowedTolerations\/0'/,
      why: 'not a valid key',
    },
    {
      values: { networkPolicy: { from: [{}] } },
      message: /at '\/networkPolicy\/from\/0': minProperties/,
      why: 'an empty peer would admit everyone',
    },
  ];
  for (const { values, message, why } of cases) {
    it(`${JSON.stringify(values)}: ${why}`, async () => {
      const { code, stderr } = await helm.run(['template', chart, '--values', '-'], values);
      expect(stderr).to.match(message);
      expect(code).to.equal(1);
    });
  }
});

describeWithHelm('chart: monitoring', (helm) => {
  async function judged(): Promise<string[]> {
    const objects = (await rendered(helm, matrix['monitoring'])).filter(
      ({ apiVersion }) => apiVersion === monitoring,
    );
    expect(objects.map(({ kind }) => kind)).to.have.members([
      'ServiceMonitor',
      'PodMonitor',
      'PrometheusRule',
    ]);
    const stdout = await runOrThrow([...judge, 'monitoring'], { stdin: JSON.stringify(objects) });
    return (JSON.parse(stdout) as string[][]).flat();
  }

  it('alerts on labels that the controller has', async () => {
    const labels = (await judged()).flatMap(
      (selector) => /(?:name|controller)="([^"]*)"/.exec(selector.replace('namespace=', ''))?.[1] ?? [],
    );
    expect(labels).to.deep.equal(['realmrelay', 'realmrelay', 'realmrelay']);
  });
});

describeWithHelm('chart: helm test', (helm) => {
  let server: Server | undefined;
  afterEach(() => server?.close());

  /** Starts a server that answers with these statuses in turn, then always with the last one, and returns its URL. */
  async function answering(statuses: number[]): Promise<string> {
    server = createServer((_request, response) => {
      response.writeHead((statuses.length > 1 ? statuses.shift() : statuses[0]) ?? 500, {
        connection: 'close',
      });
      response.end();
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/readyz`;
  }

  /** The command of the test's Pod, with another URL and another timeout. */
  async function command(url: string, seconds: string): Promise<[string, ...string[]]> {
    const { spec } = find(await rendered(helm), 'Pod') as unknown as { spec: { containers: [Container] } };
    const { command } = spec.containers[0];
    expect(command[0]).to.equal('node');
    expect(command.slice(-2)).to.deep.equal([
      'http://realm-operator-test.realm-operator-system.svc:9465/readyz',
      '60',
    ]);
    return [process.execPath, ...command.slice(1, -2), url, seconds];
  }

  it('waits for an operator that is not ready yet', async () => {
    const url = await answering([503, 503, 200]);
    expect(await runOrThrow(await command(url, '60'))).to.equal(`${url}: 200\n`);
  });

  it('fails if it does not become ready', async () => {
    const url = await answering([503]);
    expect(await run(await command(url, '0'))).to.deep.include({ stdout: `${url}: 503\n`, code: 1 });
  });

  it('fails if there is no answer', async () => {
    const { stdout, code } = await run(await command('http://127.0.0.1:1/', '0'));
    expect(stdout).to.match(/^http:\/\/127\.0\.0\.1:1\/: fetch failed: /);
    expect(code).to.equal(1);
  });
});

describeWithHelm('chart: dry runs on the API server', (helm) => {
  describeWithCluster('with', (cluster) => {
    before('make the namespaces', async () => {
      const labels = {
        'pod-security.kubernetes.io/enforce': 'restricted',
        'pod-security.kubernetes.io/warn': 'restricted',
      };
      const namespaces = [releaseNamespace, ...watchedNamespaces].map((name) => ({
        apiVersion: 'v1',
        kind: 'Namespace',
        metadata: { name, labels },
      }));
      const { code, stderr } = await cluster().kubectl(
        ['apply', '--server-side', '--filename', '-'],
        yaml(namespaces),
      );
      expect(stderr).to.equal('');
      expect(code).to.equal(0);
    });

    for (const [title, values] of Object.entries(matrix)) {
      it(title, async () => {
        const manifests = await rendered(helm, values);
        const known = manifests.filter(({ apiVersion }) => apiVersion !== monitoring);
        const dryRun = [
          'apply',
          '--server-side',
          '--dry-run=server',
          '--force-conflicts',
          '--validate=strict',
        ];
        const { stdout, stderr, code } = await cluster().kubectl([...dryRun, '--filename', '-'], yaml(known));
        expect(stderr).to.equal('');
        expect(code).to.equal(0);
        expect(stdout.trim().split('\n')).to.have.lengthOf(known.length);
      });
    }
  });
});

function yaml(documents: readonly object[]): string {
  return documents.map((document) => dump(document, { noRefs: true })).join('---\n');
}

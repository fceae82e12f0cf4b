import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect } from 'chai';
import { loadAll } from 'js-yaml';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/free-port.ts';
import { type RunningCli, runCli, startCli } from './cli.ts';

const gatewayClass = `apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: realm}
spec: {controllerName: realm-operator.dev/gateway-controller}
`;

function gateway(listeners: string, more = ''): string {
  return `apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge}
spec:
  gatewayClassName: realm
  listeners: [${listeners}]
${more}`;
}

function route(
  kind: string,
  name: string,
  backend: string,
  parent = `{name: edge, sectionName: ${name}}`,
): string {
  return `apiVersion: gateway.networking.k8s.io/v1
kind: ${kind}
metadata: {name: ${name}}
spec:
  parentRefs: [${parent}]
  rules:
  - backendRefs: [${backend}]
`;
}

function service(name: string, protocol = 'TCP'): string {
  return `apiVersion: v1
kind: Service
metadata: {name: ${name}}
spec:
  selector: {app: ${name}}
  ports: [{name: p, port: 80, protocol: ${protocol}}]
`;
}

function slice(name: string, address: string, port: number, protocol = 'TCP'): string {
  return `apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: ${name}-1, labels: {kubernetes.io/service-name: ${name}}}
addressType: ${address.includes(':') ? 'IPv6' : 'IPv4'}
ports: [{name: p, port: ${String(port)}, protocol: ${protocol}}]
endpoints: [{addresses: ['${address}']}]
`;
}

function policy(target: string, fields: string): string {
  return `apiVersion: realm-operator.dev/v1alpha1
kind: RealmTrafficPolicy
metadata: {name: policy}
spec:
  targetRefs: [{group: gateway.networking.k8s.io, ${target}}]
  ${fields}
`;
}

const db = '{name: db, protocol: TCP, port: 5432}';
const whole = [gatewayClass, gateway(db), route('TCPRoute', 'db', '{name: pg, port: 80}'), service('pg')];

type Case = {
  readonly why: string;
  readonly documents: readonly string[];
  /** `LINE:COLUMN: ` and what follows, in the file of the last document. */
  readonly findings: readonly string[];
  readonly code?: number;
};

const cases: Case[] = [
  { why: 'nothing of a Gateway with all that it needs', documents: whole, findings: [], code: 0 },
  {
    why: 'an unknown key',
    documents: [gatewayClass, gateway('{name: db, protocol: TCP, port: 1, hostnam: a}')],
    findings: ['6:50: spec.listeners[0].hostnam: is an unknown key: did you mean "hostname"?'],
  },
  {
    why: 'a value out of bounds',
    documents: [route('TCPRoute', 'db', '{name: pg, port: 80, weight: 1000001}')],
    findings: ['7:48: spec.rules[0].backendRefs[0].weight: is too large, got 1000001: use at most 1000000'],
  },
  {
    why: 'a version that is not read',
    documents: [gatewayClass.replace('io/v1', 'io/v1beta1')],
    findings: [
      '1:13: apiVersion: is a version of GatewayClass that is not read, got "gateway.networking.k8s.io/v1beta1": use gateway.networking.k8s.io/v1',
    ],
  },
  {
    why: 'two listeners of one name',
    documents: [gateway(`${db}, {name: db, protocol: UDP, port: 53}`)],
    findings: ['6:61: spec.listeners[1].name: is not valid, got "db": give each listener a name of its own'],
  },
  {
    why: 'listeners that are not served',
    documents: [
      gatewayClass,
      gateway(`${db}, {name: http, protocol: HTTP, port: 80}, {name: a, protocol: TCP, port: 5432}`),
    ],
    findings: [
      '6:47: spec.listeners[0].port: gets Conflicted True, ProtocolConflict: Port 5432 over TCP is also the port of listener "a": give each a port of its own',
      '6:77: spec.listeners[1].protocol: gets Accepted False, UnsupportedProtocol: Protocol "HTTP" is not supported: use TCP, TLS or UDP',
      '6:125: spec.listeners[2].port: gets Conflicted True, ProtocolConflict: Port 5432 over TCP is also the port of listener "db": give each a port of its own',
    ],
  },
  {
    why: 'listeners of TLS that share a hostname, or have no certificate',
    documents: [
      gatewayClass,
      gateway(`{name: a, protocol: TLS, port: 443, hostname: a.example, tls: {mode: Passthrough}},
    {name: b, protocol: TLS, port: 443, hostname: a.example, tls: {mode: Terminate}},
    {name: c, protocol: TLS, port: 443, tls: {mode: Terminate, certificateRefs: [{name: a}, {name: b}]}},
    {name: d, protocol: TLS, port: 444, tls: {certificateRefs: [{name: a, namespace: far}]}}`),
    ],
    findings: [
      '6:61: spec.listeners[0].hostname: gets Conflicted True, HostnameConflict: Listener "b" has the same hostname on port 443: give each a hostname of its own',
      '7:51: spec.listeners[1].hostname: gets Conflicted True, HostnameConflict: Listener "a" has the same hostname on port 443: give each a hostname of its own',
      '7:67: spec.listeners[1].tls.certificateRefs: gets ResolvedRefs False, InvalidCertificateRef: tls.certificateRefs is empty: name a Secret with the certificate of the listener',
      '8:81: spec.listeners[2].tls.certificateRefs: gets Accepted False, UnsupportedValue: tls.certificateRefs has 2 entries, and one is supported: give each certificate a listener with a hostname of its own',
      '9:64: warning: spec.listeners[3].tls.certificateRefs: gets ResolvedRefs False, RefNotPermitted: No ReferenceGrant in namespace "far" lets a Gateway of namespace "default" refer to Secret "a": add a ReferenceGrant there',
    ],
  },
  {
    why: 'an address that is none',
    documents: [gatewayClass, gateway(db, '  addresses: [{type: Hostname, value: a.example}]\n')],
    findings: [
      '7:14: spec.addresses: gets Accepted False, UnsupportedAddress: spec.addresses: type Hostname with value "a.example" is not supported: use an IP address of type IPAddress, or remove it',
    ],
  },
  {
    why: 'a route to a listener that does not exist',
    documents: [...whole, route('TCPRoute', 'two', '{name: pg, port: 80}')],
    findings: [
      '5:16: spec.parentRefs[0]: gets Accepted False, NoMatchingParent: Gateway "default/edge" has no listener called "two": see parentRef.sectionName and port',
    ],
  },
  {
    why: 'a port that the Service does not have',
    documents: [gatewayClass, gateway(db), service('pg'), route('TCPRoute', 'db', '{name: pg, port: 81}')],
    findings: [
      '7:19: spec.rules[0].backendRefs[0]: gets ResolvedRefs False, BackendNotFound: Service "default/pg" has no port 81: add its manifest, or correct the reference',
    ],
  },
  {
    why: 'a Gateway, a Service and a grant that another manifest may have',
    documents: [
      gatewayClass,
      gateway(db),
      route(
        'TCPRoute',
        'db',
        '{name: none, port: 1}, {name: pg, namespace: far, port: 1}',
        '{name: edge}, {name: x}',
      ),
    ],
    findings: [
      '5:30: warning: spec.parentRefs[1]: names Gateway "default/x", which is not among the manifests: add its manifest, or correct the reference',
      '7:19: warning: spec.rules[0].backendRefs[0]: gets ResolvedRefs False, BackendNotFound: Service "default/none" does not exist: add its manifest, or correct the reference',
      '7:42: warning: spec.rules[0].backendRefs[1]: gets ResolvedRefs False, RefNotPermitted: No ReferenceGrant in namespace "far" lets a TCPRoute of namespace "default" refer to Service "pg": add a ReferenceGrant there',
    ],
    code: 0,
  },
  {
    why: 'a class without a manifest',
    documents: [gateway(db)],
    findings: [
      '5:21: warning: spec.gatewayClassName: names no GatewayClass of the manifests, and is taken for one of this operator, got "realm": add the manifest of the GatewayClass',
    ],
    code: 0,
  },
  {
    why: 'a Service that nobody makes EndpointSlices for',
    documents: [
      gatewayClass,
      gateway(db),
      service('pg').replace('  selector: {app: pg}\n', ''),
      route('TCPRoute', 'db', '{name: pg, port: 80}'),
    ],
    findings: [
      '7:19: warning: spec.rules[0].backendRefs[0]: names Service "default/pg", which has no EndpointSlice among the manifests, so that clients are refused: add one with the label kubernetes.io/service-name: pg',
    ],
    code: 0,
  },
  {
    why: 'an older route, so that this one gets no traffic',
    documents: [...whole, route('TCPRoute', 'late', '{name: pg, port: 80}', '{name: edge}')],
    findings: [
      '5:16: warning: spec.parentRefs[0]: The route is attached to listener "db" and gets no traffic there, since TCPRoute "default/db" is older and serves it: remove one of the two routes',
    ],
    code: 0,
  },
  {
    why: 'a policy without a target, and one with a field that is not for its target',
    documents: [...whole, policy('kind: Gateway, name: edgy', '')],
    findings: [
      '5:16: spec.targetRefs[0]: gets Accepted False, TargetNotFound: Gateway "default/edgy" does not exist, or its GatewayClass is of another controller: correct targetRefs, whose objects are in the namespace of the policy',
    ],
  },
  {
    why: 'a field of a policy that is not for its target',
    documents: [...whole, policy('kind: Gateway, name: edge', 'balance: IPHash')],
    findings: ['6:12: spec.balance: is not for a Gateway, got "IPHash": remove it, or target a route'],
  },
  {
    why: 'parameters that are not valid',
    documents: [
      'apiVersion: realm-operator.dev/v1alpha1\nkind: RealmGatewayParameters\nmetadata: {name: p}\nspec: {service: {labels: {team: a b}}}\n',
      gatewayClass,
      gateway(
        db,
        '  infrastructure: {parametersRef: {group: realm-operator.dev, kind: RealmGatewayParameters, name: p}}\n',
      ),
    ],
    findings: [
      '7:35: spec.infrastructure.parametersRef: gets Accepted False, InvalidParameters: parametersRef: spec.service.labels.team: is no value of a label, got "a b": use at most 63 letters, digits, "-", "_" and ".", first and last a letter or digit',
    ],
  },
  {
    why: 'two Gateways of one name',
    documents: [gatewayClass, gateway(db), gateway(db)],
    findings: [
      '3:18: metadata.name: is the name of another Gateway in namespace default, at 1.yaml:3, got "edge": rename one of them, or remove it',
    ],
  },
  {
    why: 'a Service that cannot be read, since a Gateway needs it',
    documents: [gatewayClass, gateway(db), service('pg').replace('80', '80000')],
    findings: ['6:27: spec.ports[0].port: is too large, got 80000: use at most 65535'],
  },
];

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'realm-operator-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

function write(documents: readonly string[]): void {
  for (const [index, document] of documents.entries()) writeFile(`${String(index)}.yaml`, document);
}

function writeFile(name: string, content: string): void {
  writeFileSync(join(folder, '.new'), content);
  renameSync(join(folder, '.new'), join(folder, name));
}

describe('realm-operator validate, of Gateways', () => {
  for (const { why, documents, findings, code = 1 } of cases)
    it(`reports ${why}`, async () => {
      write(documents);
      const last = `${String(documents.length - 1)}.yaml:`;
      const found = await runCli(['validate', '-q', '-f', folder]);
      const lines = found.stdout.replaceAll(`${folder}/`, '').split('\n').filter(Boolean);
      expect(lines).to.deep.equal(findings.map((finding) => last + finding));
      expect(found.code).to.equal(code);
    });

  it('leaves Gateways of other controllers alone, and counts them', async () => {
    write([
      gatewayClass.replace('realm-operator.dev', 'example.com'),
      gateway('{name: h, protocol: HTTP, port: 80}'),
    ]);
    const { code, stdout } = await runCli(['validate', '-f', folder]);
    expect({ code, stdout }).to.deep.equal({
      code: 0,
      stdout: '0 valid relays, 0 problems, 0 warnings, 1 object of another kind skipped\n',
    });
  });

  it('skips Services and EndpointSlices where there is no Gateway, whatever they contain', async () => {
    const relay = `apiVersion: realm-operator.dev/v1alpha1
kind: RealmRelay
metadata: {name: web}
spec: {endpoints: [{name: a, listen: {port: 443}, remotes: [{address: b, port: 1}]}]}
`;
    write([service('pg').replace('80', '80000'), slice('pg', '192.0.2.1', 1), relay]);
    const { code, stdout } = await runCli(['validate', '-f', folder]);
    expect({ code, stdout }).to.deep.equal({
      code: 0,
      stdout: '1 valid relay, 0 problems, 0 warnings, 2 objects of other kinds skipped\n',
    });
  });
});

describe('realm-operator render, of Gateways', () => {
  it('prints the objects of a Gateway with the endpoints of its backends', async () => {
    write([...whole, slice('pg', '192.0.2.1', 5433)]);
    const { code, stdout, stderr } = await runCli(['render', '-f', folder]);
    expect({ code, stderr }).to.deep.equal({ code: 0, stderr: '' });
    const objects = loadAll(stdout) as { kind: string; metadata: { name: string }; data?: object }[];
    expect(objects.map(({ kind, metadata }) => `${kind} ${metadata.name}`)).to.have.members([
      'ConfigMap edge-realm-config',
      'Deployment edge-realm',
      'Service edge-realm',
    ]);
    expect(JSON.stringify(objects.find(({ kind }) => kind === 'ConfigMap')?.data)).to.include(
      '192.0.2.1:5433',
    );
  });

  it('warns of a backend that has no EndpointSlice in the files', async () => {
    write(whole);
    const { code, stderr } = await runCli(['render', '-f', folder]);
    expect(code).to.equal(0);
    expect(stderr).to.include('names Service "default/pg", which has no EndpointSlice among the manifests');
  });
});

describe('realm-operator standalone, of Gateways', () => {
  const servers: Server[] = [];
  let cli: RunningCli | undefined;
  let port: number;

  beforeEach(async () => {
    port = await freePort();
  });

  afterEach(async () => {
    await cli?.end();
    for (const server of servers.splice(0)) await once(server.close(), 'close');
  });

  /** A backend that greets with `greeting`. Resolves with its port. */
  async function backend(greeting: string, host: string): Promise<number> {
    const server = createServer((socket) => socket.end(greeting)).listen(0, host);
    servers.push(server);
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  }

  const greeting = (host: string, at = port): Promise<string> => text(connect({ host, port: at }));

  it('serves its listeners over both families, and follows EndpointSlices', async () => {
    const [four, six] = [await backend('four', '127.0.0.1'), await backend('six', '::1')];
    write([
      gatewayClass,
      gateway(`{name: db, protocol: TCP, port: ${String(port)}}`),
      route('TCPRoute', 'db', '{name: pg, port: 80}'),
      service('pg'),
    ]);
    writeFile('slice.yaml', slice('pg', '127.0.0.1', four));
    cli = startCli(['standalone', '-f', folder, '--admin', '127.0.0.1:0']);
    await cli.shown('Try:');
    expect(cli.stdout()).to.include('edge-realm/db');
    expect(await Promise.all([greeting('127.0.0.1'), greeting('::1')])).to.deep.equal(['four', 'four']);
    writeFile('slice.yaml', slice('pg', '::1', six));
    await eventually('the other endpoint', async () => (await greeting('127.0.0.1')) === 'six');
  });

  it('serves UDP with the policy of its listener', async () => {
    const echo = createSocket('udp6');
    echo.on('message', (data, { address, port: to }) => {
      echo.send(`echo ${data.toString()}`, to, address);
    });
    echo.bind(0, '::1');
    await once(echo, 'listening');
    write([
      gatewayClass,
      gateway(`{name: dns, protocol: UDP, port: ${String(port)}}`),
      route('UDPRoute', 'dns', '{name: bind, port: 80}'),
      service('bind', 'UDP'),
      slice('bind', '::1', echo.address().port, 'UDP'),
      policy(
        'kind: Gateway, name: edge, sectionName: dns',
        "network: {ipv6Only: true, allowedSources: ['::1']}",
      ),
    ]);
    cli = startCli(['standalone', '-f', folder, '--admin', '127.0.0.1:0']);
    await cli.shown('Try:');
    const client = createSocket('udp6');
    client.send('hello', port, '::1');
    const [answer] = (await once(client, 'message')) as [Buffer];
    expect(answer.toString()).to.equal('echo hello');
    client.close();
    echo.close();
  });

  it('refuses clients that a policy does not allow', async () => {
    const four = await backend('four', '127.0.0.1');
    write([
      gatewayClass,
      gateway(`{name: db, protocol: TCP, port: ${String(port)}}`),
      route('TCPRoute', 'db', '{name: pg, port: 80}'),
      service('pg'),
      slice('pg', '127.0.0.1', four),
      policy('kind: Gateway, name: edge', "network: {allowedSources: ['::1']}"),
    ]);
    cli = startCli(['standalone', '-f', folder, '--admin', '127.0.0.1:0']);
    await cli.shown('Try:');
    expect(await greeting('::1')).to.equal('four');
    const refused = await greeting('127.0.0.1').catch((error: unknown) => String(error));
    expect(refused).to.match(/^$|ECONNRESET/);
  });

  it('reports a backend without EndpointSlices, and does not listen for it', async () => {
    write([
      gatewayClass,
      gateway(`{name: db, protocol: TCP, port: ${String(port)}}`),
      route('TCPRoute', 'db', '{name: pg, port: 80}'),
      service('pg'),
    ]);
    cli = startCli(['standalone', '-f', folder, '--admin', '127.0.0.1:0']);
    expect(await cli.ended).to.equal(1);
    expect(cli.stderr()).to.include('which has no EndpointSlice among the manifests');
  });
});

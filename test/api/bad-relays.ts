import type { EndpointSpec } from '../../src/api/schema/endpoint.ts';
import type { RealmRelaySpec } from '../../src/api/schema/realm-relay.ts';
import { endpoint, realmRelay } from '../support/realm-relays.ts';

/** A RealmRelay that must be rejected, and the expected error. */
export type BadRelay = {
  readonly document: unknown;
  /** The field that the error names. */
  readonly field: string;
  /** Part of the remedy in the error. */
  readonly remedy: string;
  /** What rejects it on the API server, if the CRD alone accepts it. */
  readonly refusedBy?: 'policy';
};

function bad(field: string, remedy: string, document: unknown, refusedBy?: 'policy'): BadRelay {
  return { document, field, remedy, ...(refusedBy === undefined ? {} : { refusedBy }) };
}

function withEndpoint(choice: Parameters<typeof endpoint>[0]): unknown {
  return realmRelay([endpoint(choice)]);
}

function withSpec(spec: Omit<RealmRelaySpec, 'endpoints'>, endpoints?: EndpointSpec[]): unknown {
  return realmRelay(endpoints, spec);
}

const address = 'spec.endpoints[0].listen.address';
const sni = 'spec.endpoints[0].sni';
const remote = 'spec.endpoints[0].remotes[0]';
const named = (name: string): unknown => ({ ...realmRelay(), metadata: { name } });

/** By the mistake; our parser rejects each, and so does the API server. */
export const badRelays: Readonly<Record<string, BadRelay>> = {
  'no endpoint': bad('spec.endpoints', 'at least 1', realmRelay([])),
  '65 endpoints': bad(
    'spec.endpoints',
    'at most 64',
    realmRelay(
      Array.from({ length: 65 }, (_, index) => endpoint({ name: `e${String(index)}`, port: 1000 + index })),
    ),
  ),
  'no endpoint name': bad(
    'spec.endpoints[0].name',
    'add it',
    realmRelay([{ ...endpoint(), name: undefined } as never]),
  ),
  'a name too long': bad('spec.endpoints[0].name', '15', withEndpoint({ name: 'sixteen-letters-' })),
  'a name in capitals': bad('spec.endpoints[0].name', 'lower-case', withEndpoint({ name: 'HTTPS' })),
  'a doubled endpoint name': bad(
    'spec.endpoints[1].name',
    'a name of its own',
    realmRelay([endpoint(), endpoint({ port: 444 })]),
  ),
  'an address as a name': bad(
    'spec.endpoints[0].sni.hosts[0]',
    'host name',
    withEndpoint({ sni: { hosts: ['192.0.2.1'] } }),
  ),
  'a wildcard within a name': bad(
    'spec.endpoints[0].sni.hosts[0]',
    'lower-case',
    withEndpoint({ sni: { hosts: ['a.*.b'] } }),
  ),
  '33 names': bad(
    'spec.endpoints[0].sni.hosts',
    'at most 32',
    withEndpoint({ sni: { hosts: Array.from({ length: 33 }, (_, index) => `a${String(index)}`) } }),
  ),
  'sni for UDP': bad(sni, 'udp to false', withEndpoint({ sni: {}, network: { udp: true } }), 'policy'),
  'sni of a plain WebSocket': bad(
    'spec.endpoints[0].sni',
    'set listenTransport.tls',
    withEndpoint({ sni: {}, listenTransport: { webSocket: { host: 'a', path: '/' } } }),
    'policy',
  ),
  'port 0': bad('spec.endpoints[0].listen.port', 'at least 1', withEndpoint({ port: 0 })),
  'port 70000': bad('spec.endpoints[0].listen.port', 'at most 65535', withEndpoint({ port: 70_000 })),
  'the admin port': bad('spec.endpoints[0].listen.port', 'another port', withEndpoint({ port: 9465 })),
  'a range that ends before it begins': bad(
    'spec.endpoints[0].listen.endPort',
    'not below port',
    withEndpoint({ port: 8000, endPort: 7999 }),
  ),
  'a range of 16,385 ports': bad(
    'spec.endpoints[0].listen.endPort',
    'at most 16383 above port',
    withEndpoint({ port: 10_000, endPort: 26_384 }),
  ),
  'a range with the admin port': bad(
    'spec.endpoints[0].listen.endPort',
    'the range holds 9465',
    withEndpoint({ port: 9400, endPort: 9465 }),
  ),
  'a remote whose ports end above 65535': bad(
    'spec.endpoints[0]',
    'fixedPort: true',
    withEndpoint({ port: 8000, endPort: 8009, remotes: [{ address: 'b', port: 65_527 }] }),
  ),
  '513 pairs of port and protocol with a Service': bad(
    'spec.endpoints',
    'have 513 ports, TCP and UDP counted apart, and may have 512 with a Service',
    realmRelay([
      endpoint({ name: 'a', port: 8000, endPort: 8255, network: { udp: true } }),
      endpoint({ name: 'b' }),
    ]),
    'policy',
  ),
  '10,000 ports with a Service': bad(
    'spec.endpoints',
    'set service.enabled: false and workload.hostNetwork: true, or use several RealmRelays of up to 512 ports, each with its Service',
    realmRelay([endpoint({ port: 20_000, endPort: 29_999 })], {
      service: { type: 'NodePort' },
      workload: { hostNetwork: true },
    }),
    'policy',
  ),
  '32,769 pairs of port and protocol without a Service': bad(
    'spec.endpoints',
    'have 32769 ports, TCP and UDP counted apart, and may have 32768: use smaller ranges, or a second RealmRelay',
    realmRelay(
      [
        endpoint({ name: 'a', port: 10_000, endPort: 26_383, network: { udp: true } }),
        endpoint({ name: 'b' }),
      ],
      { service: { enabled: false } },
    ),
    'policy',
  ),
  'more than 65,536 remotes over all ports': bad(
    'spec.endpoints',
    'have 81920 remotes, counted at each port, and may have 65536',
    realmRelay(
      [
        endpoint({
          port: 10_000,
          endPort: 26_383,
          remotes: Array.from({ length: 5 }, () => ({ address: 'b', port: 80 })),
        }),
      ],
      { service: { enabled: false } },
    ),
    'policy',
  ),
  'more ports than can be looked at one by one': bad(
    'spec.endpoints',
    'have 1048576 ports, TCP and UDP counted apart, and may have 512 with a Service',
    realmRelay(
      Array.from({ length: 64 }, (_, index) =>
        endpoint({
          name: `e${String(index)}`,
          address: `127.0.1.${String(index)}`,
          port: 10_000,
          endPort: 26_383,
          remotes: Array.from({ length: 32 }, () => ({ address: '127.0.0.1', port: 80 })),
        }),
      ),
    ),
    'policy',
  ),
  'a port in words': bad(
    'spec.endpoints[0].listen.port',
    'whole number',
    withEndpoint({ port: 'https' as never }),
  ),
  'an IPv4 address out of range': bad(address, 'IPv4 or IPv6', withEndpoint({ address: '300.1.1.1' })),
  'a host name to listen on': bad(address, 'IPv4 or IPv6', withEndpoint({ address: 'localhost' })),
  'an address in brackets': bad(address, 'without brackets', withEndpoint({ address: '[::]' })),
  'an address with a zone': bad(address, 'zone', withEndpoint({ address: 'fe80::1%eth0' })),
  'a mapped address in hexadecimal': bad(
    address,
    'IPv4 or IPv6',
    withEndpoint({ address: '::ffff:102:304' }),
  ),
  'a mapped address with ipv6Only': bad(
    address,
    'listen on 1.2.3.4',
    withEndpoint({ address: '::ffff:1.2.3.4', network: { ipv6Only: true } }),
    'policy',
  ),
  'no remote': bad('spec.endpoints[0].remotes', 'at least 1', withEndpoint({ remotes: [] })),
  'a remote without port': bad(
    `${remote}.port`,
    'add it',
    withEndpoint({ remotes: [{ address: 'b' } as never] }),
  ),
  'a remote with its port in the address': bad(
    `${remote}.address`,
    'put 80 into port',
    withEndpoint({ remotes: [{ address: 'b:80', port: 80 }] }),
  ),
  ...Object.fromEntries(
    // Resolvers read all but the first as an address, the metadata service's among them.
    ['300.1.1.1', '0x7f.0x1', '0xa9fea9fe', '1', '127.1', '0177.0.0.1', '127.0.0.0X1.'].map((host) => [
      `a remote that ends in a number and is no IPv4 address: ${host}`,
      bad(
        `${remote}.address`,
        'last label is no number',
        withEndpoint({ remotes: [{ address: host, port: 80 }] }),
      ),
    ]),
  ),
  'only weights of 0': bad(
    'spec.endpoints[0].remotes',
    'weight above 0',
    withEndpoint({ remotes: [{ address: 'b', port: 80, weight: 0 }] }),
  ),
  'an unknown PROXY version': bad(
    'spec.endpoints[0].network.sendProxy.version',
    'at most 2',
    withEndpoint({ network: { sendProxy: { version: 3 } } }),
  ),
  'a datagram with a wrong escape': bad(
    'spec.endpoints[0].healthCheck.udp.send',
    'a byte in hexadecimal',
    withEndpoint({ healthCheck: { udp: { send: '\\x0' } }, network: { udp: true } }),
  ),
  'PROXY headers of version 1 for UDP': bad(
    'spec.endpoints[0].network.sendProxy.version',
    'set version to 2, or sendProxy.udp to false',
    withEndpoint({ network: { udp: true, sendProxy: { enabled: true, udp: true, version: 1 } } }),
    'policy',
  ),
  'PROXY headers of version 1 for UDP, of all endpoints and one': bad(
    'spec.endpoints[0].network.sendProxy.version',
    'set version to 2, or sendProxy.udp to false',
    withSpec({ network: { udp: true, sendProxy: { enabled: true, version: 1 } } }, [
      endpoint({ network: { sendProxy: { udp: true } } }),
    ]),
    'policy',
  ),
  'a trusted source that is not an address range': bad(
    'spec.endpoints[0].network.acceptProxy.trustedSources[0]',
    '10.0.0.0/8',
    withEndpoint({ network: { acceptProxy: { trustedSources: ['10.0.0.0/33'] } } }),
  ),
  'an allowed source that is not an address range': bad(
    'spec.network.allowedSources[1]',
    'use a length of at most 128, as in 2001:db8::/32',
    withSpec({ network: { allowedSources: ['::/0', '2001:db8::/129'] } }),
  ),
  'an allowed source of an endpoint that is a host name': bad(
    'spec.endpoints[0].network.allowedSources[0]',
    '10.0.0.0/8',
    withEndpoint({ network: { allowedSources: ['a.example'] } }),
  ),
  'an empty list of allowed sources': bad(
    'spec.network.allowedSources',
    'at least 1',
    withSpec({ network: { allowedSources: [] } }),
  ),
  'an unknown balance': bad(
    'spec.endpoints[0].balance',
    'IPHash',
    withEndpoint({ balance: 'iphash' as never }),
  ),
  'no protocol': bad(
    'spec.endpoints[0].network',
    'tcp or udp',
    withSpec({ network: { tcp: false } }),
    'policy',
  ),
  'families that no endpoint listens on': bad(
    'spec.service.ipFamilies',
    '[IPv6]',
    withSpec({ network: { ipv6Only: true }, service: { ipFamilies: ['IPv4'] } }),
    'policy',
  ),
  'one family twice': bad(
    'spec.service.ipFamilies',
    'once',
    withSpec({ service: { ipFamilies: ['IPv4', 'IPv4'] } }),
  ),
  'two families and SingleStack': bad(
    'spec.service.ipFamilies',
    'PreferDualStack',
    withSpec({ service: { ipFamilies: ['IPv4', 'IPv6'], ipFamilyPolicy: 'SingleStack' } }),
    'policy',
  ),
  'a source range that is an address': bad(
    'spec.service.loadBalancerSourceRanges[0]',
    '10.0.0.0/8',
    withSpec({ service: { type: 'LoadBalancer', loadBalancerSourceRanges: ['192.0.2.1'] } }),
  ),
  'a class that is not a valid name': bad(
    'spec.service.loadBalancerClass',
    'example.com/internal',
    withSpec({ service: { type: 'LoadBalancer', loadBalancerClass: 'a b' } }),
  ),
  'a node port of 0': bad(
    'spec.service.nodePorts.https',
    'at least 1',
    withSpec({ service: { type: 'NodePort', nodePorts: { https: 0 } } }),
  ),
  'a Secret for pulling, twice': bad(
    'spec.podTemplate.spec.imagePullSecrets[1]',
    'remove one',
    withSpec({ podTemplate: { spec: { imagePullSecrets: [{ name: 'a' }, { name: 'a' }] } } }),
  ),
  'a toleration of an unknown effect': bad(
    'spec.podTemplate.spec.tolerations[0].effect',
    'NoExecute',
    withSpec({ podTemplate: { spec: { tolerations: [{ effect: 'Evict' as never }] } } }),
  ),
  'a skew of 0': bad(
    'spec.podTemplate.spec.topologySpreadConstraints[0].maxSkew',
    'at least 1',
    withSpec({
      podTemplate: {
        spec: {
          topologySpreadConstraints: [
            { maxSkew: 0, topologyKey: 'zone', whenUnsatisfiable: 'DoNotSchedule' },
          ],
        },
      },
    }),
  ),
  'an autoscaler with a minimum above its maximum': bad(
    'spec.autoscaling',
    'at most what maxReplicas is',
    withSpec({ autoscaling: { minReplicas: 3, maxReplicas: 2 } }),
  ),

  'a rolling update that may neither add nor take away a Pod': bad(
    'spec.workload.rollingUpdate',
    'let one of maxSurge and maxUnavailable be more than 0',
    withSpec({ workload: { rollingUpdate: { maxSurge: 0, maxUnavailable: '0%' } } }),
  ),
  'a share of Pods that is not a percentage': bad(
    'spec.podDisruptionBudget.maxUnavailable',
    '25%',
    withSpec({ podDisruptionBudget: { maxUnavailable: '125%' } }),
  ),
  'an empty peer': bad(
    'spec.networkPolicy.allowFrom[0]',
    'either ipBlock',
    withSpec({ networkPolicy: { allowFrom: [{}] } }),
  ),
  'a peer with both a range and a selector': bad(
    'spec.networkPolicy.allowFrom[0]',
    'either ipBlock',
    withSpec({ networkPolicy: { allowFrom: [{ ipBlock: { cidr: '10.0.0.0/8' }, podSelector: {} }] } }),
  ),
  'an empty list of peers': bad(
    'spec.networkPolicy.allowFrom',
    'at least 1',
    withSpec({ networkPolicy: { allowFrom: [] } }),
  ),
  'a source address with a port': bad(
    'spec.endpoints[0].through',
    'without brackets, port',
    withEndpoint({ through: '192.0.2.1:80' }),
  ),
  'an empty transport': bad(
    'spec.endpoints[0].listenTransport',
    'tls, webSocket or both',
    withEndpoint({ listenTransport: {} }),
  ),
  'TLS without a Secret': bad(
    'spec.endpoints[0].listenTransport.tls.secretName',
    'add it',
    withEndpoint({ listenTransport: { tls: {} as never } }),
  ),
  'an invalid name of a Secret': bad(
    'spec.endpoints[0].listenTransport.tls.secretName',
    'name of a Secret',
    withEndpoint({ listenTransport: { tls: { secretName: '../x' } } }),
  ),
  'authorities together with insecure': bad(
    'spec.endpoints[0].remoteTransport.tls',
    'remove insecure',
    withEndpoint({ remoteTransport: { tls: { serverName: 'a', caSecretName: 'b', insecure: true } } }),
  ),
  'a server name with a semicolon': bad(
    'spec.endpoints[0].remoteTransport.tls.serverName',
    'without spaces and ";"',
    withEndpoint({ remoteTransport: { tls: { serverName: 'a;insecure' } } }),
  ),
  'a time limit of pings towards clients, to whom none are sent': bad(
    'spec.endpoints[0].listenTransport.webSocket',
    'set pingIntervalSeconds',
    withEndpoint({ listenTransport: { webSocket: { host: 'a', path: '/', pingTimeoutSeconds: 5 } } }),
  ),
  'a time limit of pings towards remotes that are switched off': bad(
    'spec.endpoints[0].remoteTransport.webSocket',
    'pingIntervalSeconds above 0',
    withEndpoint({
      remoteTransport: {
        webSocket: { host: 'a', path: '/', pingIntervalSeconds: 0, pingTimeoutSeconds: 5 },
      },
    }),
  ),
  'a path with a space': bad(
    'spec.endpoints[0].remoteTransport.webSocket.path',
    'without spaces',
    withEndpoint({ remoteTransport: { webSocket: { host: 'a', path: '/ b' } } }),
  ),
  'a protocol with a comma': bad(
    'spec.endpoints[0].remoteTransport.tls.alpn[0]',
    'and ","',
    withEndpoint({ remoteTransport: { tls: { serverName: 'a', alpn: ['h2,x'] } } }),
  ),
  'negative replicas': bad('spec.replicas', 'at least 0', withSpec({ replicas: -1 })),
  'an invalid quantity': bad(
    'spec.resources.limits.memory',
    '64Mi',
    withSpec({ resources: { limits: { memory: '64 MB' } } }),
  ),
  'a relay name with a dot': bad('metadata.name', 'lower-case', named('a.b')),
  'a relay name too long': bad('metadata.name', '56', named('a'.repeat(57))),
};

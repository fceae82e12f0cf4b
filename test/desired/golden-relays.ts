import type { Relay } from '../../src/api/relay.ts';
import { endpoint, parsed, realmRelay } from '../relays.ts';

/** The case that this project exists for. */
export const sideBySide = [
  endpoint({ name: 'https-v6', address: '::', network: { ipv6Only: true } }),
  endpoint({ name: 'https-v4', address: '0.0.0.0', remotes: [{ address: '192.0.2.1', port: 8443 }] }),
];

/** RealmRelays as users write them; each becomes `test/golden/<name>.yaml`. */
export const goldenRelayManifests = {
  'one-endpoint': realmRelay(),
  'side-by-side': realmRelay(sideBySide, { replicas: 2 }),
  'ipv6-only': realmRelay([endpoint()], { network: { ipv6Only: true } }),
  'tcp-and-udp': realmRelay([
    endpoint({ name: 'dns', port: 53, network: { udp: true, udpTimeoutSeconds: 5 } }),
  ]),
  'every-field': realmRelay(
    [
      endpoint({
        name: 'weighted',
        address: '::ffff:192.0.2.9',
        port: 8080,
        balance: 'IPHash',
        remotes: [
          { address: '2001:DB8:0::1', port: 80, weight: 4 },
          { address: 'backend', port: 81 },
          { address: '192.0.2.2', port: 82, weight: 0 },
        ],
      }),
      endpoint({
        name: 'preferred',
        address: '2001:db8::9',
        port: 8080,
        balance: 'Failover',
        remotes: [
          { address: 'first', port: 80 },
          { address: 'second', port: 80 },
        ],
        network: { tcp: false, udp: true, tcpIdleTimeoutSeconds: 600, maxConnections: 1000, maxWaiting: 0 },
      }),
      endpoint({
        name: 'least',
        address: '192.0.2.9',
        port: 9090,
        balance: 'LeastConnections',
        through: '2001:DB8::9',
        healthCheck: { intervalSeconds: 5, unhealthyThreshold: 2 },
        remotes: [
          { address: 'first', port: 80, weight: 2 },
          { address: 'second', port: 80 },
        ],
      }),
    ],
    {
      replicas: 3,
      network: { tcpTimeoutSeconds: 0, tcpKeepaliveSeconds: 60, tcpKeepaliveProbes: 9, udpTimeoutSeconds: 0 },
      service: {
        type: 'LoadBalancer',
        ipFamilies: ['IPv6', 'IPv4'],
        ipFamilyPolicy: 'RequireDualStack',
        annotations: { 'example.com/scheme': 'internal' },
      },
      image: 'example.com/own-relay:1',
      resources: { limits: { memory: '1024Mi' }, requests: { cpu: '1000m', memory: '64Mi' } },
      logLevel: 'debug',
      drainSeconds: 300,
      updateStrategy: 'Rollout',
    },
  ),
  'proxy-protocol': realmRelay(
    [
      endpoint({
        name: 'in-and-out',
        network: { acceptProxy: { trustedSources: ['2001:db8::/32', '192.0.2.1'] } },
      }),
      endpoint({
        name: 'out',
        port: 444,
        network: { sendProxy: { version: 1 }, acceptProxy: { enabled: false } },
      }),
    ],
    { network: { sendProxy: { enabled: true }, acceptProxy: { enabled: true, timeoutSeconds: 3 } } },
  ),
  transports: realmRelay([
    endpoint({
      name: 'tls',
      listenTransport: { tls: { secretName: 'web-tls' } },
      remoteTransport: {
        tls: { serverName: 'backend.example.com', caSecretName: 'web-tls', alpn: ['h2', 'x'] },
      },
    }),
    endpoint({
      name: 'mutual',
      port: 444,
      listenTransport: {
        tls: { secretName: 'a.long.name', clientCASecretName: 'clients' },
        webSocket: { host: 'a.example:444', path: '/x?y=z' },
      },
      remoteTransport: {
        tls: { serverName: '2001:db8::1', clientSecretName: 'own', insecure: true },
        webSocket: { host: 'b.example', path: '/' },
      },
    }),
    endpoint({ name: 'ws', port: 445, listenTransport: { webSocket: { host: 'c.example', path: '/' } } }),
  ]),
  'no-service': realmRelay([endpoint()], { service: { enabled: false } }),
};

/** The same, parsed. */
export const goldenRelays: Readonly<Record<string, Relay>> = Object.fromEntries(
  Object.entries(goldenRelayManifests).map(([name, manifest]) => [name, parsed(manifest)]),
);

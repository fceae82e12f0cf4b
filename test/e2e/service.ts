import { expect } from 'chai';
import { eventually } from '../support/eventually.ts';
import { runOrThrow } from '../cluster/run.ts';
import { backendPort } from './backend.ts';
import { backendAt, echoLine, greet } from './client.ts';
import type { Place } from './place.ts';
import { kubectl } from './install.ts';
import {
  applyManifest,
  applyRelay,
  type ClusterAddresses,
  clusterAddresses,
  type Endpoint,
  relayManifest,
  relayPods,
} from './relay.ts';

const port = 8443;
const patienceMs = 1_000;
/** The addresses that node-init.sh gives to this process. */
const client = { ipv4: '172.31.0.1', ipv6: 'fd00:172:31::1' };
/** The addresses of a fake load balancer: addresses for documentation (RFC 5737, RFC 3849). */
const balanced = { ipv4: '198.51.100.7', ipv6: '2001:db8::7' };

/** How clients reach a relay through its Service. */
export function describeServices(place: () => Place): void {
  describe('its Service', () => {
    it('relays a range of ports to one port of a remote, or to a range of its ports', async () => {
      const { node, namespace, six } = place();
      const endpoints = (endPort: number): Endpoint[] => [
        {
          name: 'fixed',
          listen: { address: '::', port: 7000, endPort },
          remotes: [{ address: six.ipv6, port: backendPort, fixedPort: true }],
        },
        {
          name: 'shifted',
          listen: { address: '::', port: 9078, endPort: 9082 },
          remotes: [{ address: six.ipv6, port: backendPort - 2 }],
        },
      ];
      await applyRelay(node, namespace, 'range', endpoints(7003));
      const { ipv4, ipv6 } = await clusterAddresses(node, namespace, 'range');
      const pods = await relayPods(node, namespace, 'range');
      for (const port of [7000, 7001, 7002, 7003, 9080]) {
        expect(await backendAt(ipv6, port), `IPv6 port ${String(port)}`).to.equal('backend-six');
        expect(await backendAt(ipv4, port), `IPv4 port ${String(port)}`).to.equal('backend-six');
      }
      await applyRelay(node, namespace, 'range', endpoints(7005));
      await eventually(
        'kube-proxy knows the port',
        async () => (await backendAt(ipv4, 7005)) === 'backend-six',
      );
      expect(await relayPods(node, namespace, 'range')).to.deep.equal(pods);
    });

    it('keeps the address of the client if its traffic policy is Local: node port', async () => {
      const { addresses } = place().node;
      await apply({ type: 'NodePort', externalTrafficPolicy: 'Local' });
      await expectNamed(addresses, await nodePort(), client);
      await apply({ type: 'NodePort', externalTrafficPolicy: 'Cluster' });
      await eventually('the node named in its place', async () => {
        return (await namedClient(addresses.ipv4, await nodePort())) !== client.ipv4;
      });
    });

    it('keeps the address of the client if its traffic policy is Local: load balancer', async () => {
      const { node, namespace } = place();
      const ready = apply({ type: 'LoadBalancer', externalTrafficPolicy: 'Local' });
      // As a load balancer would do; this cluster has none. No other type may have such an address.
      const status = { loadBalancer: { ingress: Object.values(balanced).map((ip) => ({ ip })) } };
      const path = `/api/v1/namespaces/${namespace}/services/proxied/status`;
      await eventually('the address is assigned', async () => {
        const answer = await node.request('PATCH', path, { status }, 'application/merge-patch+json');
        return answer.status === 200;
      });
      await ready;
      for (const family of ['ipv4', 'ipv6'] as const) {
        await runOrThrow(['ip', 'route', 'replace', balanced[family], 'via', node.addresses[family]]);
      }
      await expectNamed(balanced, port, client);
      const shown = ['get', 'rr/proxied', '--output=jsonpath={.status.addresses}'];
      await eventually('its addresses in the status', async () => {
        const addresses = await kubectl(node, ['-n', namespace, ...shown]);
        return Object.values(balanced).every((address) => addresses.includes(address));
      });
    });

    /** Applies a relay that sends PROXY headers; the backend echoes them to us. */
    async function apply(service: object): Promise<void> {
      const { node, namespace, six } = place();
      const endpoint: Endpoint = {
        name: 'proxied',
        listen: { address: '::', port },
        remotes: [{ address: six.ipv6, port: backendPort }],
        network: { sendProxy: { enabled: true, version: 1 } },
      };
      const manifest = relayManifest('proxied', [endpoint], { service, drainSeconds: 0 });
      await applyManifest(node, namespace, 'proxied', manifest);
    }

    async function nodePort(): Promise<number> {
      const { node, namespace } = place();
      const answer = await node.request('GET', `/api/v1/namespaces/${namespace}/services/proxied`);
      const { spec } = answer.json() as { spec: { ports: { nodePort: number }[] } };
      return spec.ports[0]?.nodePort ?? 0;
    }

    async function expectNamed(
      hosts: ClusterAddresses,
      port: number,
      named: ClusterAddresses,
    ): Promise<void> {
      for (const family of ['ipv4', 'ipv6'] as const) {
        await eventually(`${named[family]} named at ${hosts[family]}`, async () => {
          return (await namedClient(hosts[family], port)) === named[family];
        });
      }
    }
  });
}

/** The client that the relay's PROXY header names. */
async function namedClient(host: string, port: number): Promise<string | undefined> {
  const { socket } = await greet(host, port, patienceMs); // there is no answer until kube-proxy knows the address
  try {
    const header = await echoLine(socket, 'after the header');
    return header.split(' ')[2]; // PROXY TCP4 client …
  } finally {
    socket.destroy();
  }
}

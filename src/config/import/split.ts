import { maxServicePorts, type EndpointSpec } from '../../api/schema/endpoint.ts';
import type { RealmRelaySpec } from '../../api/schema/realm-relay.ts';

/**
 * `spec` in as few parts as each can have a Service: with at most 512 pairs of port and protocol. An endpoint with a range may
 * be in several of them.
 */
export function splitSpec(spec: RealmRelaySpec): RealmRelaySpec[] {
  const { endpoints, service: _, ...shared } = spec;
  const parts: EndpointSpec[][] = [[]];
  let room = maxServicePorts;
  for (const endpoint of endpoints) {
    const pairs = protocols(endpoint, spec);
    let rest: EndpointSpec | undefined = endpoint;
    while (rest !== undefined) {
      if (room < pairs) {
        parts.push([]);
        room = maxServicePorts;
      }
      const [part, more]: readonly [EndpointSpec, EndpointSpec | undefined] = cut(
        rest,
        Math.floor(room / pairs),
      );
      parts.at(-1)?.push(part);
      room -= pairs * portsOf(part);
      rest = more;
    }
  }
  return parts.map((each) => ({ ...shared, endpoints: each }));
}

/** How many protocols `endpoint` relays. */
function protocols({ network }: EndpointSpec, spec: RealmRelaySpec): number {
  const { tcp = true, udp = false } = { ...spec.network, ...network };
  return Math.max(1, Number(tcp) + Number(udp));
}

function portsOf({ listen: { port, endPort = port } }: EndpointSpec): number {
  return endPort - port + 1;
}

/** The first `count` ports of `endpoint`, and the others. */
function cut(endpoint: EndpointSpec, count: number): readonly [EndpointSpec, EndpointSpec | undefined] {
  if (portsOf(endpoint) <= count) return [endpoint, undefined];
  const { listen, remotes } = endpoint;
  const { endPort = listen.port, ...place } = listen;
  const next = listen.port + count;
  const last = next - 1;
  const first = { ...endpoint, listen: { ...place, ...(last > listen.port && { endPort: last }) } };
  const shifted = remotes.map((remote) =>
    remote.fixedPort === true ? remote : { ...remote, port: remote.port + count },
  );
  const rest = {
    ...endpoint,
    listen: { ...place, port: next, ...(endPort > next && { endPort }) },
    remotes: shifted,
  };
  return [withoutFixed(first), withoutFixed(rest)];
}

/** `fixedPort` has no effect on one port. */
function withoutFixed(endpoint: EndpointSpec): EndpointSpec {
  if (portsOf(endpoint) > 1) return endpoint;
  return { ...endpoint, remotes: endpoint.remotes.map(({ fixedPort: _, ...remote }) => remote) };
}

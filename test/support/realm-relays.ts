import { parseRealmRelay } from '../../src/api/parse.ts';
import type { Relay } from '../../src/api/relay.ts';
import type { EndpointSpec } from '../../src/api/schema/endpoint.ts';
import { apiVersion, kind, type RealmRelay, type RealmRelaySpec } from '../../src/api/schema/realm-relay.ts';
import { parseIpAddress, type IpAddress } from '../../src/lib/ip-address.ts';
import { problemText } from '../../src/lib/problem.ts';

/** The fields of an endpoint that matter to a test. */
type EndpointChoice = Partial<Omit<EndpointSpec, 'listen'>> & {
  address?: string | undefined;
  port?: number;
  endPort?: number;
};

/** An endpoint as a user writes it, by default on TCP port 443 with one remote. */
export function endpoint({ address, port = 443, endPort, ...rest }: EndpointChoice = {}): EndpointSpec {
  return {
    name: 'https',
    listen: { ...(address !== undefined && { address }), port, ...(endPort !== undefined && { endPort }) },
    remotes: [{ address: 'backend.example.com', port: 8443 }],
    ...rest,
  };
}

/** A RealmRelay as a user writes it, with `endpoints` and the fields of `spec`. */
export function realmRelay(
  endpoints: EndpointSpec[] = [endpoint()],
  spec: Omit<RealmRelaySpec, 'endpoints'> = {},
): RealmRelay {
  return { apiVersion, kind, metadata: { name: 'web', namespace: 'edge' }, spec: { ...spec, endpoints } };
}

/**
 * `manifest`, parsed; port conflicts are not checked.
 *
 * @throws Error if it is not valid, which is a mistake of the test.
 */
export function parsed(manifest: RealmRelay): Relay {
  const { relay: valid, problems } = parseRealmRelay(manifest);
  if (valid === undefined || problems.length > 0) throw new Error(problems.map(problemText).join('\n'));
  return valid;
}

/** The RealmRelay of `realmRelay`, parsed. */
export function relay(endpoints?: EndpointSpec[], spec?: Omit<RealmRelaySpec, 'endpoints'>): Relay {
  return parsed(realmRelay(endpoints, spec));
}

/**
 * The address that `text` denotes.
 *
 * @throws Error if it is not an address.
 */
export function ipAddress(text: string): IpAddress {
  const address = parseIpAddress(text);
  if (address === undefined) throw new Error(`not an IP address: ${text}`);
  return address;
}

import type { V1LoadBalancerIngress, V1PortStatus, V1Service } from '@kubernetes/client-node';
import type { RealmRelayStatus } from '../api/schema/realm-relay.ts';
import { addressFamily } from '../lib/ip-address.ts';
import { cutToBytes } from '../lib/plain-text.ts';
import type { Rollout } from './rollout.ts';

type Address = NonNullable<RealmRelayStatus['addresses']>[number];
type Ports = NonNullable<Address['ports']>;

/** The schema of the status allows no more. */
const maxAddresses = 64;
/** How many addresses `kubectl get` shows; further ones are only counted. */
const maxListed = 3;

/**
 * Where clients reach `service`: the addresses and host names of its load balancer if it has one, else its cluster IPs.
 * Sorted by family, host names last. Pure.
 */
export function serviceAddresses(
  service: V1Service | undefined,
): Pick<RealmRelayStatus, 'addresses' | 'addressSummary'> {
  const addresses = addressesOf(service);
  if (addresses.length === 0) return isPending(service) ? { addressSummary: '<pending>' } : {};
  const sorted = addresses.toSorted((a, b) => (sortKey(a) < sortKey(b) ? -1 : 1)).slice(0, maxAddresses);
  return { addresses: sorted, addressSummary: shortList(sorted.map(({ address }) => address)) };
}

/** The same addresses in the order of the load balancer, or of the families of `service`. Pure. */
export function addressesOf(service: V1Service | undefined): Address[] {
  return isBalanced(service)
    ? ingressPoints(service).flatMap(ofIngress)
    : (service?.spec?.clusterIPs ?? []).flatMap((ip) => ofIp(ip));
}

/** `items` separated by commas: the first three, and how many more there are. */
export function shortList(items: readonly string[]): string {
  const more = items.length - maxListed;
  return [...items.slice(0, maxListed), ...(more > 0 ? [`+${String(more)}`] : [])].join(',');
}

/**
 * `rollout`, unless only the address of the load balancer is missing: then the relay is not ready, as a Gateway is not
 * programmed until it has an address. Pure.
 */
export function withAddress(rollout: Rollout, service: V1Service | undefined): Rollout {
  if (rollout.state !== 'ready' || !isPending(service)) return rollout;
  const { name = '' } = service?.metadata ?? {};
  const { loadBalancerClass } = service?.spec ?? {};
  const balancer =
    loadBalancerClass === undefined ? 'a load balancer' : `a load balancer of class "${loadBalancerClass}"`;
  const message = `Service "${name}" has no load-balancer address yet. A cluster without ${balancer} never assigns one: see "kubectl describe service ${name}", install a load balancer, or set service.type to NodePort or ClusterIP.`;
  return { state: 'progressing', reason: 'AddressPending', message };
}

function isPending(service: V1Service | undefined): boolean {
  return isBalanced(service) && ingressPoints(service).flatMap(ofIngress).length === 0;
}

function isBalanced(service: V1Service | undefined): boolean {
  return service?.spec?.type === 'LoadBalancer';
}

function ingressPoints(service: V1Service | undefined): readonly V1LoadBalancerIngress[] {
  return service?.status?.loadBalancer?.ingress ?? [];
}

function ofIngress({ ip, hostname = '', ports = [] }: V1LoadBalancerIngress): Address[] {
  const reported = ports.flatMap(reportedPort);
  const withPorts = reported.length === 0 ? {} : { ports: reported };
  const named = hostname === '' ? [] : [{ address: hostname, ...withPorts }];
  return [...(ip === undefined ? [] : ofIp(ip, withPorts)), ...named];
}

/** The API server does not check what load balancers report, and rejects a status that does not fit its schema. */
function reportedPort({ port, protocol, error = '' }: V1PortStatus): Ports {
  if ((protocol !== 'TCP' && protocol !== 'UDP') || port < 1 || port > 65_535) return [];
  return [{ port, protocol, ...(error !== '' && { error: cutToBytes(error, 316) }) }];
}

function ofIp(address: string, more: Pick<Address, 'ports'> = {}): Address[] {
  const family = addressFamily(address);
  return family === undefined ? [] : [{ family, address, ...more }];
}

function sortKey({ family, address }: Address): string {
  return `${family ?? 'name'} ${address}`;
}

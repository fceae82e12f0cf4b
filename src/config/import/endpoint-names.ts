import { hash } from 'node:crypto';
import { trimmedEnd } from '../../lib/trimmed.ts';
import type { SocketAddress } from '../address.ts';
import type { EndpointNetwork } from '../network-keys.ts';

/** Longest name of an endpoint: it is that of a Service's port, too. */
const longest = 15;

/** What of an endpoint its name is made from. */
export type Unnamed = {
  /** The name in the file, whatever it looks like. */
  readonly name?: string;
  readonly listen: SocketAddress;
  readonly network: Pick<EndpointNetwork, 'tcp' | 'udp' | 'ipv6Only'>;
};

/**
 * A name for each of `endpoints`: its own as far as a DNS label allows, else one made from protocol, port and address, so
 * that it stays as it is when other endpoints come and go. One that is taken is numbered.
 */
export function endpointNames(endpoints: readonly Unnamed[]): string[] {
  const kept = new Set(
    endpoints.flatMap(({ name }) => (name !== undefined && label(name) === name ? name : [])),
  );
  const taken = new Set<string>();
  const used = new Set(kept);
  const numbers = new Map<string, number>();
  return endpoints.map((endpoint) => {
    const wanted = label(endpoint.name ?? '') || madeName(endpoint);
    const isOwn = wanted === endpoint.name && !taken.has(wanted);
    const name = isOwn ? wanted : freeName(wanted, used, numbers);
    taken.add(name);
    used.add(name);
    return name;
  });
}

/** `text` as a DNS label of at most 15 characters; '' where nothing is left of it. */
function label(text: string): string {
  const word = text
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]+/g, '-')
    .replace(/^-+/, '');
  return trimmedEnd(word.slice(0, longest), '-');
}

/** @param numbers  the last number of each name, so that thousands of one name are not counted from 2 each time. */
function freeName(wanted: string, taken: ReadonlySet<string>, numbers: Map<string, number>): string {
  let name = wanted;
  let number = numbers.get(wanted) ?? 1;
  while (taken.has(name)) {
    number += 1;
    const end = `-${String(number)}`;
    name = `${trimmedEnd(wanted.slice(0, longest - end.length), '-')}${end}`;
  }
  numbers.set(wanted, number);
  return name;
}

function madeName({ listen, network }: Unnamed): string {
  const protocol = network.tcp && network.udp ? 'both' : network.udp ? 'udp' : 'tcp';
  return `${protocol}-${String(listen.port)}${addressEnd(listen.host, network.ipv6Only)}`;
}

/** Nothing for every address, the family for all of one family, else four digits that stand for the address. */
function addressEnd(host: string, ipv6Only: boolean): string {
  if (host === '::') return ipv6Only ? '-v6' : '';
  if (host === '0.0.0.0') return '-v4';
  return `-${hash('sha256', host).slice(0, 4)}`;
}

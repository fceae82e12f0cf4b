import { hash } from 'node:crypto';
import { trimmedEnd } from '../../lib/trimmed.ts';
import type { SocketAddress } from '../address.ts';
import { freeNames } from '../free-names.ts';
import type { EndpointNetwork } from '../network-keys.ts';

/** Maximum length of the name of a RealmRelay's endpoint. */
const maxLength = 15;

/** The parts of an endpoint from which its name is generated. */
export type Unnamed = {
  /** The name in the file, not validated. */
  readonly name?: string;
  readonly listen: SocketAddress;
  readonly network: Pick<EndpointNetwork, 'tcp' | 'udp' | 'ipv6Only'>;
};

/**
 * A name for each of `endpoints`: its own, changed to a DNS label if necessary, or one generated from protocol, port and
 * address, which stays the same when other endpoints are added or removed. A name that is already used gets a number.
 */
export function endpointNames(endpoints: readonly Unnamed[]): string[] {
  const kept = new Set(
    endpoints.flatMap(({ name }) => (name !== undefined && label(name) === name ? name : [])),
  );
  const taken = new Set<string>();
  const used = new Set(kept);
  const freeName = freeNames(used, numberedLabel);
  return endpoints.map((endpoint) => {
    const wanted = label(endpoint.name ?? '') || generatedName(endpoint);
    const isOwn = wanted === endpoint.name && !taken.has(wanted);
    const name = isOwn ? wanted : freeName(wanted);
    taken.add(name);
    used.add(name);
    return name;
  });
}

/** `text` as a DNS label of at most 15 characters; '' if no character remains. */
function label(text: string): string {
  const word = text
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]+/g, '-')
    .replace(/^-+/, '');
  return trimmedEnd(word.slice(0, maxLength), '-');
}

function numberedLabel(wanted: string, number: number): string {
  const end = `-${String(number)}`;
  return `${trimmedEnd(wanted.slice(0, maxLength - end.length), '-')}${end}`;
}

function generatedName({ listen, network }: Unnamed): string {
  const protocol = network.tcp && network.udp ? 'both' : network.udp ? 'udp' : 'tcp';
  return `${protocol}-${String(listen.port)}${addressSuffix(listen.host, network.ipv6Only)}`;
}

/**
 * Empty for every address of both families, the family for every address of one family, otherwise four digits of a hash.
 */
function addressSuffix(host: string, ipv6Only: boolean): string {
  if (host === '::') return ipv6Only ? '-v6' : '';
  if (host === '0.0.0.0') return '-v4';
  return `-${hash('sha256', host).slice(0, 4)}`;
}

import { portsText } from '../lib/port-range.ts';
import { socketAddressText, type SocketAddress } from './address.ts';

/** A port to listen on, and the remotes that it relays to. */
export type PortConfig = {
  readonly listen: SocketAddress;
  /** At least one, in the order in which `balance: off` tries them. */
  readonly remotes: readonly SocketAddress[];
};

/** Further ports of an endpoint, on the same address, each with the same hosts as remotes; absent = none. */
export type PortRange = { readonly range?: readonly PortConfig[] };

/** Every port of an endpoint, the first one first. */
export function portsOf({ listen, remotes, range = [] }: PortConfig & PortRange): readonly PortConfig[] {
  return [{ listen, remotes }, ...range];
}

/**
 * Addresses of one host in short: `192.0.2.1:80`, `[2001:db8::1]:8000-8255`, `a.example:80,90-92`.
 *
 * @param addresses  at least one; the host is that of the first.
 */
export function addressesText(addresses: readonly SocketAddress[]): string {
  const [first] = addresses;
  if (first === undefined) return '';
  const ports = [...new Set(addresses.map(({ port }) => port))].toSorted((a, b) => a - b);
  return `${socketAddressText({ ...first, port: 0 }).slice(0, -1)}${runs(ports).join(',')}`;
}

/** The text of sorted `ports`, with consecutive ones as a range. */
function runs(ports: readonly number[]): string[] {
  const found: { readonly first: number; last: number }[] = [];
  for (const port of ports) {
    const run = found.at(-1);
    if (run?.last === port - 1) run.last = port;
    else found.push({ first: port, last: port });
  }
  return found.map(({ first, last }) => portsText(first, last));
}

/** The reason why a port cannot be added to an endpoint, and the key that states the cause. */
export type RangeProblem = {
  readonly key: 'range_of' | 'listen' | 'remote';
  readonly what: string;
  readonly value: string;
  readonly remedy: string;
};

/**
 * Checks that a port can be added to the endpoint that its `range_of` names.
 *
 * @param value  the value of `range_of`.
 * @param known  that endpoint, and the ports that it has so far; undefined if there is no such endpoint.
 */
export function rangeProblem(
  { listen, remotes }: PortConfig,
  value: string,
  known: { readonly first: PortConfig; readonly ports: ReadonlySet<number> } | undefined,
): RangeProblem | undefined {
  if (known === undefined) {
    const remedy = 'give the name of an endpoint that has no range_of itself';
    return { key: 'range_of', what: 'names no endpoint', value, remedy };
  }
  const { first, ports } = known;
  if (listen.host !== first.listen.host || ports.has(listen.port)) {
    const remedy = `use another port of ${first.listen.host}`;
    return {
      key: 'listen',
      what: `is no further port of endpoint "${value}"`,
      value: socketAddressText(listen),
      remedy,
    };
  }
  if (hosts(remotes) === hosts(first.remotes)) return undefined;
  const remedy = `use ${hosts(first.remotes)}, each with a port`;
  return { key: 'remote', what: `has other hosts than endpoint "${value}"`, value: hosts(remotes), remedy };
}

function hosts(addresses: readonly SocketAddress[]): string {
  return addresses.map(({ host }) => host).join(', ');
}

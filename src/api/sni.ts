/** The names of TLS clients that an endpoint serves; without hosts, those that no other endpoint of its port serves. */
export type Sni = { readonly hosts: readonly string[] };

/** What decides whether endpoints share a port by the names of TLS clients. */
export type SniListener = {
  readonly sni?: Sni;
  readonly network: { readonly acceptProxy?: { readonly enabled: boolean }; readonly acceptMptcp?: boolean };
};

/** The keys by which an endpoint with `sni` is found: its hosts, or '' for every other name. */
export function servedHosts({ hosts }: Sni): readonly string[] {
  return hosts.length === 0 ? [''] : hosts;
}

/** Why two listeners of one socket cannot share it: a remedy; undefined if they can, '' if neither has `sni`. */
export function sharingRemedy(
  [first, second]: readonly [SniListener, SniListener],
  writtenAs: 'RealmRelay' | 'Realm',
): string | undefined {
  const [a, b] = [first.sni, second.sni];
  if (a === undefined && b === undefined) return '';
  if (a === undefined || b === undefined)
    return 'set sni on both, so that they share it, or choose another port';
  const hosts = new Set(servedHosts(a));
  const both = servedHosts(b).find((host) => hosts.has(host));
  if (both === '') return 'set sni.hosts on one of them: without it, an endpoint serves every other name';
  if (both !== undefined) return `both serve "${both}": remove it from sni.hosts of one of them`;
  if (acceptsProxy(first) !== acceptsProxy(second))
    return `set ${acceptProxyKeys[writtenAs]} to the same on both: the header precedes the name`;
  // only the relay's own file has it
  return first.network.acceptMptcp === second.network.acceptMptcp
    ? undefined
    : 'set accept_mptcp to the same on both, since they share the socket';
}

const acceptProxyKeys = { RealmRelay: 'acceptProxy.enabled', Realm: 'accept_proxy' } as const;

function acceptsProxy({ network }: SniListener): boolean {
  return network.acceptProxy?.enabled === true;
}

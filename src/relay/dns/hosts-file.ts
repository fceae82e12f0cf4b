import { parseIpAddress, type IpFamily } from '../../lib/ip-address.ts';

/** An IP address and its family. */
export type FamilyAddress = { readonly address: string; readonly family: IpFamily };

/** The addresses of `name` in the text of a hosts file, in the order of its lines. Source: hosts(5). */
export function hostsAddresses(text: string, name: string): FamilyAddress[] {
  const hostName = name.replace(/\.$/, '').toLowerCase();
  return text.split('\n').flatMap((line) => {
    const [address = '', ...names] = line.replace(/#.*/, '').trim().split(/\s+/);
    const ip = parseIpAddress(address);
    const isListed = names.some((each) => each.toLowerCase() === hostName);
    return ip === undefined || !isListed ? [] : [{ address, family: ip.family }];
  });
}

/**
 * The names to query in turn for `host` with the search domains of a resolv.conf. A name with a dot is first queried as
 * it is; a name that ends with a dot is only queried as it is. Source: resolv.conf(5), with ndots 1.
 */
export function searchNames(text: string, host: string): string[] {
  if (host.endsWith('.')) return [host];
  const lines = text.split('\n').map((line) => line.trim().split(/\s+/));
  const domains = lines.findLast(([word]) => word === 'search' || word === 'domain')?.slice(1) ?? [];
  const searched = domains.map((domain) => `${host}.${domain.replace(/^\./, '')}`);
  return host.includes('.') ? [host, ...searched] : [...searched, host];
}

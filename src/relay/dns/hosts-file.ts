import { parseIpAddress, type IpFamily } from '../../lib/ip-address.ts';

/** An address and its family. */
export type FamilyAddress = { readonly address: string; readonly family: IpFamily };

/** The addresses of `name` in the text of a hosts file, in its order. Source: hosts(5). */
export function hostsAddresses(text: string, name: string): FamilyAddress[] {
  const wanted = name.replace(/\.$/, '').toLowerCase();
  return text.split('\n').flatMap((line) => {
    const [written = '', ...names] = line.replace(/#.*/, '').trim().split(/\s+/);
    const ip = parseIpAddress(written);
    const isWanted = names.some((each) => each.toLowerCase() === wanted);
    return ip === undefined || !isWanted ? [] : [{ address: written, family: ip.family }];
  });
}

/**
 * The names to ask for in turn where `host` is looked up with the search domains of a resolv.conf: a name
 * with a dot in it is asked for as it is first, one that ends with a dot only so. Source: resolv.conf(5), ndots 1.
 */
export function searchNames(text: string, host: string): string[] {
  if (host.endsWith('.')) return [host];
  const lines = text.split('\n').map((line) => line.trim().split(/\s+/));
  const domains = lines.findLast(([word]) => word === 'search' || word === 'domain')?.slice(1) ?? [];
  const searched = domains.map((domain) => `${host}.${domain.replace(/^\./, '')}`);
  return host.includes('.') ? [host, ...searched] : [...searched, host];
}

import { networkInterfaces } from 'node:os';

/**
 * `host` with its zone as the name of an interface, which Node.js requires; Realm writes the interface's number.
 *
 * Source: RFC 4007, section 11.2: a zone may be written either way.
 *
 * @param host  an IP address such as `fe80::1%2`; returned unchanged if it has no zone or no interface has that number.
 */
export function withZoneName(host: string): string {
  if (!host.includes('%')) return host;
  const [address = '', zone = ''] = host.split('%', 2);
  if (!/^[0-9]+$/.test(zone)) return host;
  for (const [name, addresses] of Object.entries(networkInterfaces())) {
    if (addresses?.some((each) => each.family === 'IPv6' && each.scopeid === Number(zone))) {
      return `${address}%${name}`;
    }
  }
  return host;
}

import { networkInterfaces } from 'node:os';

/**
 * `host` with its zone as an interface's name, as Node wants it; Realm writes the interface's number.
 *
 * @param host  e.g. `fe80::1%2`; returned as it is where it has no zone or no interface has that number.
 */
export function withZoneName(host: string): string {
  const [address = '', zone = ''] = host.split('%', 2);
  if (!/^[0-9]+$/.test(zone)) return host;
  for (const [name, addresses] of Object.entries(networkInterfaces())) {
    if (addresses?.some((each) => each.family === 'IPv6' && each.scopeid === Number(zone))) {
      return `${address}%${name}`;
    }
  }
  return host;
}

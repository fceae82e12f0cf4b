import { hostname, networkInterfaces } from 'node:os';

/** The IP addresses of this machine at the moment, without zones. */
export function ownAddresses(): string[] {
  return Object.values(networkInterfaces()).flatMap((each = []) => each.map(({ address }) => address));
}

/** What leads to this machine: its addresses, and its host name, which usually does. */
export function machineNames() {
  const names = new Map<string, 'certain' | 'probable'>([[hostname().toLowerCase(), 'probable']]);
  return { addresses: ownAddresses(), names };
}

import { hostname, networkInterfaces } from 'node:os';

/** An IP address of this machine, without its zone, as `networkInterfaces` of Node.js has it. */
export type HostAddress = { readonly address: string; readonly family: string; readonly internal: boolean };

/** The addresses of this machine at the moment. */
export function hostAddresses(): readonly HostAddress[] {
  return Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
}

/** The same as texts. */
export function ownAddresses(): string[] {
  return hostAddresses().map(({ address }) => address);
}

/** What leads to this machine: its addresses, and its host name, which usually does. */
export function machineNames() {
  const names = new Map<string, 'certain' | 'probable'>([[hostname().toLowerCase(), 'probable']]);
  return { addresses: ownAddresses(), names };
}

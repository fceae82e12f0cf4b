import { isIPv6 } from 'node:net';
import { parseIpAddress, type IpFamily } from '../lib/ip-address.ts';
import type { EndpointStatus, RelayStatus } from '../relay/admin/status.ts';
import { columns } from './columns.ts';

/** The screen of `standalone`: a line for each endpoint, and commands to try. */
export function screen(status: RelayStatus, adminUrl: string | undefined): string {
  const rows = status.endpoints.map((endpoint) => [
    endpoint.name,
    endpoint.listen,
    endpoint.families.join(' and ') || '-',
    endpoint.protocols.join(' and '),
    endpoint.remotes.join(', '),
    endpoint.ready ? 'ready' : 'NOT READY',
  ]);
  const faults = status.endpoints
    .filter(({ ready }) => !ready)
    .map(({ name, message }) => `${name}: ${message}`);
  const lines = [
    ...columns([['ENDPOINT', 'LISTENS ON', 'FAMILIES', 'PROTOCOLS', 'REMOTES', 'STATE'], ...rows]),
    ...(faults.length === 0 ? [] : ['', ...faults]),
    '',
    'Try:',
    ...[...tries(status.endpoints), ...(adminUrl === undefined ? [] : [`curl '${adminUrl}/status'`])].map(
      (line) => `  ${line}`,
    ),
  ];
  return `${lines.join('\n')}\n`;
}

/** One command for each family, with the first TCP endpoint that serves it. */
function tries(endpoints: readonly EndpointStatus[]): string[] {
  return (['IPv4', 'IPv6'] as const).flatMap((family) => {
    const endpoint = endpoints.find(
      ({ ready, families, protocols }) => ready && families.includes(family) && protocols.includes('TCP'),
    );
    return endpoint === undefined ? [] : [`curl -${family.slice(3)} 'http://${address(endpoint, family)}/'`];
  });
}

/** The address at which a client on this machine reaches the first port of `endpoint`. */
function address({ listen }: EndpointStatus, family: IpFamily): string {
  const colon = listen.lastIndexOf(':');
  const host = listen.slice(0, colon).replace(/^\[|\]$/g, '');
  const port = String(parseInt(listen.slice(colon + 1), 10));
  const parsed = parseIpAddress(host);
  const own = parsed?.mapped ?? host;
  const isWildcard = ['::', '0.0.0.0'].includes(own);
  const reached = isWildcard ? { IPv4: '127.0.0.1', IPv6: '::1' }[family] : own;
  return `${isIPv6(reached) ? `[${reached}]` : reached}:${port}`;
}

import { isMapping, type Findings } from '../lib/document-rules.ts';
import type { Path } from '../lib/problem.ts';
import { ownValue } from '../lib/record.ts';

/**
 * The keys of Realm's tables in the order of its structures. Source: realm 2.9.4, src/conf. Its parser also takes a list of
 * values in this order for a table.
 */
const orders = {
  log: ['level', 'output'],
  dns: ['mode', 'min_ttl', 'max_ttl', 'cache_size', 'protocol', 'nameservers'],
  network: [
    'no_tcp',
    'use_udp',
    'ipv6_only',
    'send_mptcp',
    'accept_mptcp',
    'send_proxy',
    'accept_proxy',
    'send_proxy_version',
    'accept_proxy_timeout',
    'tcp_keepalive',
    'tcp_keepalive_probe',
    'tcp_timeout',
    'udp_timeout',
  ],
} as const;
const documentOrder = ['log', 'dns', 'network', 'endpoints'];
const endpointOrder = [
  'listen',
  'remote',
  'extra_remotes',
  'balance',
  'through',
  'interface',
  'listen_interface',
  'listen_transport',
  'remote_transport',
  'network',
];

/** `document` with a table for each list of values that Realm takes for one; `findings` gets a warning of each. */
export function withTables(document: unknown, findings: Findings): unknown {
  const isWhole = Array.isArray(document) && document.length === documentOrder.length; // Realm requires the last one
  const whole = isWhole ? table(document, documentOrder, [], findings) : document;
  if (!isMapping(whole)) return whole;
  const tables = Object.entries(orders).flatMap(([key, order]) => {
    const value = ownValue(whole, key);
    return Array.isArray(value) ? [[key, table(value, order, [key], findings)]] : [];
  });
  const endpoints = endpointTables(whole['endpoints'], findings);
  if (tables.length === 0 && endpoints === whole['endpoints']) return whole;
  return { ...whole, ...Object.fromEntries(tables), endpoints };
}

function endpointTables(endpoints: unknown, findings: Findings): unknown {
  if (!Array.isArray(endpoints)) return endpoints;
  const read = endpoints.map((each: unknown, index) => endpointTable(each, ['endpoints', index], findings));
  return read.some((each, index) => each !== endpoints[index]) ? read : endpoints;
}

function endpointTable(value: unknown, path: Path, findings: Findings): unknown {
  const endpoint = table(value, endpointOrder, path, findings);
  if (!isMapping(endpoint) || !Array.isArray(endpoint['network'])) return endpoint;
  const network = table(endpoint['network'], orders.network, [...path, 'network'], findings);
  return { ...endpoint, network };
}

/** The table of the list `value`; `value` itself if it is no list, or has more items than there are keys. */
function table(value: unknown, order: readonly string[], path: Path, findings: Findings): unknown {
  if (!Array.isArray(value) || value.length > order.length) return value;
  const what = 'is a list in place of a table, which is read by position, as Realm does';
  findings.warnings.push({ path, what, remedy: `write the keys: ${order.join(', ')}` });
  return Object.fromEntries(value.map((item: unknown, index) => [order[index], item]));
}

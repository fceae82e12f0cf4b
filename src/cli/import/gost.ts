import { isRecord, ownValue } from '../../lib/record.ts';
import type { Path } from '../../lib/problem.ts';
import { yamlDocuments } from '../yaml-documents.ts';
import {
  balanceKeys,
  fault,
  hostAndPorts,
  leftOut,
  listenKeys,
  remoteIn,
  remoteKeys,
  scaled,
  undialable,
  type ForeignEndpoint,
  type ForeignNote,
  type ForeignReader,
  type ForeignRemote,
  type Strategy,
} from './foreign.ts';

/**
 * Reads the file of gost: `services` with `forwarder` of version 3, in YAML or JSON, and `ServeNodes` of version 2, also inside `Routes`, in JSON.
 *
 * Source: gost.run, "Configuration" and "Port Forwarding"; ginuerzh/gost, docs.
 */
export const readGost: ForeignReader = (text) => {
  const notes: ForeignNote[] = [];
  const [document] = yamlDocuments(text);
  for (const { line, problem } of document?.problems ?? [])
    notes.push({ severity: 'error', line, word: 'document', what: problem.what, remedy: problem.remedy });
  const value = document?.value;
  if (document === undefined || !isRecord(value)) return { endpoints: [], notes };
  const lineOf = (path: Path): number => document.positionOf(path).line;
  for (const [key, others] of Object.entries(value))
    if (!ownKeys.includes(key) && !isEmpty(others))
      notes.push(leftOut(document.keyPositionOf([key]).line, key));
  const services = listIn(value, 'services').flatMap((service, index) =>
    serviceEndpoint(service, lineOf(['services', index]), notes),
  );
  const nodesIn = (holder: unknown, path: Path): ForeignEndpoint[] =>
    listIn(holder, 'ServeNodes').flatMap((node, index) =>
      nodeEndpoint(String(node), lineOf([...path, 'ServeNodes', index]), notes),
    );
  const routes = listIn(value, 'Routes').flatMap((route, index) => {
    const path = ['Routes', index];
    if (listIn(route, 'ChainNodes').length > 0)
      notes.push(leftOut(lineOf([...path, 'ChainNodes']), 'ChainNodes'));
    return nodesIn(route, path);
  });
  return { endpoints: [...services, ...nodesIn(value, []), ...routes], notes };
};

/** Keys that are read, or concern only the program. */
const ownKeys = ['services', 'ServeNodes', 'Routes', 'log', 'api', 'metrics', 'Debug', 'Retries'];

function isEmpty(value: unknown): boolean {
  return value === null || (Array.isArray(value) && value.length === 0);
}

/** The list at `key`; [] if there is none. */
function listIn(value: unknown, key: string): readonly unknown[] {
  const list = isRecord(value) ? ownValue(value, key) : undefined;
  return Array.isArray(list) ? (list as readonly unknown[]) : [];
}

/** How gost chooses, in our words. */
const strategies: Readonly<Record<string, Strategy>> = {
  round: 'roundrobin',
  rand: 'roundrobin',
  random: 'roundrobin',
  fifo: 'off',
  ha: 'off',
  hash: 'iphash',
};

/** A service of version 3. */
function serviceEndpoint(service: unknown, line: number, notes: ForeignNote[]): ForeignEndpoint[] {
  const { name, addr, handler, listener, forwarder, ...others } = isRecord(service) ? service : {};
  const [kind, transport] = [typeOf(handler), typeOf(listener)];
  const nodes = listIn(forwarder, 'nodes');
  if (![kind, transport].every((each) => ['tcp', 'udp'].includes(each)) || nodes.length === 0) {
    const remedy = 'only forwarding of tcp and udp without a chain is read';
    notes.push(leftOut(line, 'service', remedy, `${String(name)}: ${kind} over ${transport}`));
    return [];
  }
  const chain = isRecord(handler) && handler['chain'] !== undefined ? ['chain'] : [];
  notes.push(...[...Object.keys(others), ...chain].map((key) => leftOut(line, key)));
  const remotes = nodes.flatMap((node) => remotesIn(isRecord(node) ? String(node['addr']) : '', line, notes));
  const selector = isRecord(forwarder) ? forwarder['selector'] : undefined;
  const strategy = isRecord(selector) ? selector['strategy'] : undefined;
  const forwarding = { address: String(addr), isUdp: transport === 'udp', remotes, strategy, line };
  return endpointOf(typeof name === 'string' ? { ...forwarding, name } : forwarding, notes);
}

function typeOf(part: unknown): string {
  return isRecord(part) && typeof part['type'] === 'string' ? part['type'] : 'tcp';
}

/** A node of version 2: `tcp://:443/192.0.2.1:443,192.0.2.2:443?strategy=round`. */
function nodeEndpoint(node: string, line: number, notes: ForeignNote[]): ForeignEndpoint[] {
  const [rest = '', query = ''] = node.split('?', 2);
  const [scheme = '', , address = '', targets = ''] = rest.split('/');
  if (!['tcp:', 'udp:'].includes(scheme) || targets === '') {
    notes.push(leftOut(line, 'ServeNodes', 'only forwarding of tcp and udp is read', node));
    return [];
  }
  const remotes = targets.split(',').flatMap((target) => remotesIn(target, line, notes));
  const strategy = new URLSearchParams(query).get('strategy') ?? undefined;
  return endpointOf({ address, isUdp: scheme === 'udp:', remotes, strategy, line }, notes);
}

type Forwarding = {
  readonly name?: string;
  readonly address: string;
  readonly isUdp: boolean;
  readonly remotes: readonly ForeignRemote[];
  readonly strategy: unknown;
  readonly line: number;
};

/** Go reads an empty host as every address of both families. */
function endpointOf(
  { name, address, isUdp, remotes, strategy = 'round', line }: Forwarding,
  notes: ForeignNote[],
): ForeignEndpoint[] {
  const { host = '', ports } = hostAndPorts(address) ?? {};
  if (ports === undefined) {
    const remedy = 'write :PORT or ADDRESS:PORT';
    notes.push(fault({ line, word: 'addr', value: address }, 'is no address with a port', remedy));
  }
  if (ports === undefined || remotes.length === 0) return [];
  const all = scaled(remotes);
  const endpoint = {
    ...(name !== undefined && { name }),
    ...listenKeys(host === '' ? '::' : host, ports),
    ...remoteKeys(all, ports),
    ...balanceKeys(strategyOf(String(strategy), line, notes), all),
    ...(isUdp && { network: { use_udp: true, no_tcp: true } }),
  };
  return [{ line, endpoint }];
}

function strategyOf(word: string, line: number, notes: ForeignNote[]): Strategy {
  const strategy = ownValue(strategies, word);
  if (strategy !== undefined) return strategy;
  notes.push(leftOut(line, 'strategy', 'choose RoundRobin, IPHash, Failover or LeastConnections', word));
  return 'roundrobin';
}

function remotesIn(text: string, line: number, notes: ForeignNote[]): ForeignRemote[] {
  const remote = remoteIn(text);
  if (remote === undefined) notes.push(undialable(line, 'addr', text));
  return remote === undefined ? [] : [remote];
}

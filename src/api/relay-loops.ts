import { clientIp } from '../lib/client-address.ts';
import {
  addressFamily,
  dialledAddress,
  isLoopback,
  isUnspecified,
  type IpAddress,
} from '../lib/ip-address.ts';
import { isLocalhost, loopbackAddresses } from '../lib/localhost.ts';
import { boundFamilies, protocols, type Protocol } from './port-conflicts.ts';

/** A host and a port; `ip` is the parsed host if that is an address. */
export type HostPort = { readonly host: string; readonly port: number; readonly ip?: IpAddress | undefined };

/** What decides whether an endpoint is its own remote. */
export type LoopEndpoint = {
  readonly name: string;
  readonly network: { readonly tcp: boolean; readonly udp: boolean; readonly ipv6Only: boolean };
  /** Each port with its remotes. */
  readonly ports: readonly { readonly listen: HostPort; readonly remotes: readonly HostPort[] }[];
};

/** What else names the place where the relay listens, besides loopback. */
export type OwnNames = {
  /** Addresses of the machine, or of the Pod. */
  readonly addresses: readonly string[];
  /** Host names that lead there, in lower case, with whether that is certain. */
  readonly names: ReadonlyMap<string, 'certain' | 'probable'>;
};

/** Endpoints that relay to themselves, directly or over each other. */
export type RelayLoop = {
  /** In the order of the relaying, the first one in the order of the configuration. */
  readonly endpoints: readonly string[];
  /** A remote of the first one that leads back. */
  readonly remote: HostPort;
  /** Whether clients are sent in a circle; if not, they only may be. */
  readonly isCertain: boolean;
  readonly what: string;
  readonly remedy: string;
  /** `what` and `remedy` in one sentence. */
  readonly message: string;
};

/** One listening port, and where its remotes lead within the relay. */
type Port = {
  readonly endpoint: LoopEndpoint;
  readonly listen: HostPort;
  readonly remotes: readonly HostPort[];
  readonly steps: Step[];
};

type Step = { readonly remote: HostPort; readonly to: Port; readonly isCertain: boolean };

/**
 * Every loop of `endpoints` as far as it shows without a name lookup, each set of endpoints once. Loops over other hosts
 * cannot be found here.
 */
export function relayLoops(endpoints: readonly LoopEndpoint[], own: OwnNames): RelayLoop[] {
  const loops = new Map<string, RelayLoop>();
  for (const protocol of ['TCP', 'UDP'] as const) {
    const ports = connected(endpoints, protocol, own);
    const looping = withLoops(ports);
    for (const { port, step } of distinctSteps(ports, looping)) {
      const found = looping.has(port) ? loopOver(port, step, protocol) : undefined;
      const loop = found ?? (step.to.endpoint === port.endpoint ? chain(port, step) : undefined);
      const key = loop && JSON.stringify([loop.endpoints.toSorted(), loop.isCertain]);
      if (loop !== undefined && key !== undefined && !loops.has(key)) loops.set(key, loop);
    }
  }
  return [...loops.values()];
}

/** The ports of one protocol that lead to another one of them. */
function connected(endpoints: readonly LoopEndpoint[], protocol: Protocol, own: OwnNames): Port[] {
  const served = endpoints.filter((endpoint) => protocols(endpoint).includes(protocol));
  if (!someRemoteIsListenedOn(served)) return []; // as in nearly every configuration, of which some are large
  const ports = served.flatMap((endpoint) =>
    endpoint.ports
      .filter(({ listen }) => listen.port !== 0)
      .map((port): Port => ({ ...port, endpoint, steps: [] })),
  );
  const byNumber = Map.groupBy(ports, ({ listen }) => listen.port);
  const steps = (remote: HostPort): Step[] =>
    (byNumber.get(remote.port) ?? []).flatMap((to) => {
      const certainty = reaches(remote, to, own);
      return certainty === undefined ? [] : { remote, to, isCertain: certainty === 'certain' };
    });
  for (const port of ports) port.steps.push(...port.remotes.flatMap(steps));
  return ports.filter(({ steps }) => steps.length > 0);
}

/** Whether any remote has a port that one of `endpoints` listens on, at whatever host. */
function someRemoteIsListenedOn(endpoints: readonly LoopEndpoint[]): boolean {
  const listening = new Set(endpoints.flatMap(({ ports }) => ports.map(({ listen }) => listen.port)));
  return endpoints.some(({ ports }) =>
    ports.some(({ remotes }) => remotes.some(({ port }) => listening.has(port))),
  );
}

/** Whether dialling `remote` reaches the socket of `port`; undefined if not, as far as known. */
function reaches(
  { host, ip }: HostPort,
  { listen, endpoint: { network } }: Port,
  own: OwnNames,
): 'certain' | 'probable' | undefined {
  const name = host.toLowerCase().replace(/\.$/, '');
  if (ip === undefined && name === listen.host.toLowerCase().replace(/\.$/, '')) return 'certain';
  const address = listen.ip;
  if (address === undefined) return undefined;
  const bound = clientIp(address.text);
  const isWildcard = isUnspecified(address);
  const families = boundFamilies({ address, ipv6Only: network.ipv6Only });
  const isMet = (target: string): boolean =>
    families.some((family) => family === addressFamily(target)) &&
    (isWildcard ? isLoopback(target) || own.addresses.includes(target) : target === bound);
  if (dialledAddresses(name, ip).some(isMet)) return 'certain';
  return ip === undefined && !isLoopback(bound) ? own.names.get(name) : undefined;
}

/** The addresses that a dial of a host reaches, as far as known without a lookup; IPv4-mapped ones as IPv4. */
function dialledAddresses(name: string, ip: IpAddress | undefined): readonly string[] {
  if (ip === undefined) return isLocalhost(name) ? loopbackAddresses : [];
  return [dialledAddress(clientIp(ip.text))];
}

/** Those of `ports` from which a loop is reached: what remains without those that lead to none, one after the other. */
function withLoops(ports: readonly Port[]): ReadonlySet<Port> {
  const left = new Set(ports);
  const open = new Map(ports.map((port) => [port, port.steps.length]));
  const before = Map.groupBy(
    ports.flatMap((port) => port.steps.map(({ to }) => ({ port, to }))),
    ({ to }) => to,
  );
  const done = new Set([...before.keys()].filter((port) => port.steps.length === 0));
  for (const dead of done) {
    left.delete(dead);
    for (const { port } of before.get(dead) ?? []) {
      const count = (open.get(port) ?? 0) - 1;
      open.set(port, count);
      if (count === 0) done.add(port);
    }
  }
  return left;
}

/** The steps between two endpoints, one for all ports of a range: the ports are alike, and there may be thousands. */
function distinctSteps(
  ports: readonly Port[],
  looping: ReadonlySet<Port>,
): { readonly port: Port; readonly step: Step }[] {
  const all = ports.flatMap((port) => port.steps.map((step) => ({ port, step })));
  const kinds = Map.groupBy(all, ({ port, step: { to, isCertain } }) =>
    JSON.stringify([port.endpoint.name, to.endpoint.name, port === to, isCertain]),
  );
  return [...kinds.values()].flatMap((alike) => {
    return alike.find(({ port, step }) => looping.has(port) && looping.has(step.to)) ?? alike.slice(0, 1);
  });
}

/** The shortest loop that begins with `step` of `port`; undefined if it does not lead back. Breadth first. */
function loopOver(port: Port, step: Step, protocol: Protocol): RelayLoop | undefined {
  const cameBy = new Map<Port, { readonly from: Port; readonly step: Step }>([
    [step.to, { from: port, step }],
  ]);
  for (const [reached] of cameBy) {
    if (reached === port) break;
    for (const next of reached.steps)
      if (!cameBy.has(next.to)) cameBy.set(next.to, { from: reached, step: next });
  }
  const steps: Step[] = [];
  for (let at = cameBy.get(port); at !== undefined; at = at.from === port ? undefined : cameBy.get(at.from))
    steps.unshift(at.step);
  return steps.length === 0 ? undefined : loop(port, steps, protocol);
}

function loop(port: Port, steps: readonly Step[], protocol: Protocol): RelayLoop {
  const endpoints = [...new Set([port, ...steps.map(({ to }) => to)].map(({ endpoint }) => endpoint.name))];
  const isCertain = steps.every((step) => step.isCertain);
  const way = steps.map(({ remote, to }) => ` → ${text(remote)} → "${to.endpoint.name}"`).join('');
  const what =
    endpoints.length === 1
      ? `endpoint "${port.endpoint.name}" (${text(port.listen)}) ${isCertain ? 'is' : 'is probably'} its own remote for ${protocol}`
      : `endpoints ${endpoints.map((name) => `"${name}"`).join(', ')} ${isCertain ? 'relay' : 'probably relay'} ${protocol} in a circle`;
  return found(port, steps, { endpoints, isCertain, what: `${what} ("${port.endpoint.name}"${way})` });
}

function chain(port: Port, step: Step): RelayLoop {
  const what = `endpoint "${port.endpoint.name}" relays its port ${String(port.listen.port)} to its own port ${String(step.to.listen.port)} (remote ${text(step.remote)})`;
  return found(port, [step], { endpoints: [port.endpoint.name], isCertain: false, what });
}

function found(
  port: Port,
  [first]: readonly Step[],
  parts: Pick<RelayLoop, 'endpoints' | 'isCertain' | 'what'>,
): RelayLoop {
  const remedy =
    'give the remote the address and port of the service behind the relay, or listen on another port';
  return { ...parts, remote: first?.remote ?? port.listen, remedy, message: `${parts.what}: ${remedy}` };
}

function text({ host, port, ip }: HostPort): string {
  return `${ip?.family === 'IPv6' ? `[${host}]` : host}:${String(port)}`;
}

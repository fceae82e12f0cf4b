import { socketAddressText } from '../../config/address.ts';
import { zoneRemedy } from '../../config/link-local.ts';
import { conflictAt } from '../../config/listen-conflicts.ts';
import type { EndpointConfig } from '../../config/relay-config.ts';
import { asError, errorCode } from '../../lib/errors.ts';
import { isWithoutZone } from '../../lib/ip-address.ts';
import type { PortOwner } from './port-owner.ts';
import type { SearchLimit } from './search-limit.ts';
import type { SocketSpec } from './socket-plan.ts';

/** Why a listening socket could not be bound. */
export type BindFault = {
  /** Machine-readable, for example `AddressInUse`. */
  readonly reason: 'AddressInUse' | 'AddressNotAvailable' | 'NotPermitted' | 'NameNotFound' | 'BindFailed';
  /** Human-readable: what is wrong, and the remedy. */
  readonly message: string;
  readonly error: Error;
};

/** A socket that could not be bound, and its previous fault if that is a retry. */
export type UnboundSocket = { readonly spec: SocketSpec; readonly fault: BindFault | undefined };

/** Where to look for what holds its port. */
export type FaultContext = {
  /** The endpoint of the socket; undefined if it is gone. */
  readonly endpoint: EndpointConfig | undefined;
  /** All endpoints of the relay. */
  readonly endpoints: readonly EndpointConfig[];
  readonly searches: SearchLimit;
};

/**
 * Explains why a socket could not be bound. Never rejects. If another endpoint holds the port, the message names it;
 * otherwise the process that does, if this one may read that and has not searched for many others just now.
 */
export async function bindFault(
  error: unknown,
  socket: UnboundSocket,
  { endpoint, endpoints, searches }: FaultContext,
): Promise<BindFault> {
  const { spec } = socket;
  if (errorCode(error) !== 'EADDRINUSE') return otherFault(error, spec);
  const own = endpoint && conflictAt({ ...endpoint, listen: spec.listen }, endpoints);
  const message = own ?? (await inUse(socket, searches));
  return { reason: 'AddressInUse', message, error: asError(error) };
}

function otherFault(error: unknown, spec: SocketSpec): BindFault {
  const where = whereText(spec);
  const fault = asError(error);
  const { listen } = spec;
  if (errorCode(error) === 'EINVAL' && listen.ip !== undefined && isWithoutZone(listen.ip)) {
    const what = 'a link-local address without a zone, which may be that of any interface';
    const message = `${where}: ${what}: ${zoneRemedy(listen, 'listen_interface')}`;
    return { reason: 'AddressNotAvailable', message, error: fault };
  }
  switch (errorCode(error)) {
    case 'EADDRNOTAVAIL':
      return {
        reason: 'AddressNotAvailable',
        message: `${where}: this machine does not have that address: listen on one that it has`,
        error: fault,
      };
    case 'EAFNOSUPPORT':
      return {
        reason: 'AddressNotAvailable',
        message: `${where}: this machine has no IPv6: listen on 0.0.0.0 or another IPv4 address`,
        error: fault,
      };
    case 'EACCES':
      return {
        reason: 'NotPermitted',
        message: `${where}: not permitted: choose a port from 1024, or lower net.ipv4.ip_unprivileged_port_start`,
        error: fault,
      };
    case 'ENOTFOUND':
    case 'ENODATA':
    case 'EAI_AGAIN':
      return { reason: 'NameNotFound', message: `${where}: the name has no address`, error: fault };
    default:
      return { reason: 'BindFailed', message: `${where}: ${fault.message}`, error: fault };
  }
}

function whereText({ protocol, listen }: SocketSpec): string {
  return `${protocol} ${socketAddressText(listen)}`;
}

async function inUse({ spec, fault }: UnboundSocket, searches: SearchLimit): Promise<string> {
  const what = `${whereText(spec)}: address in use`;
  const owner = searches.take() ? await ownerOf(spec) : undefined;
  // Without a search the last answer stands, so that a retry is not logged as a new fault.
  if (owner === undefined && fault?.message.startsWith(what) === true) return fault.message;
  if (owner?.pid === process.pid)
    return `${what}: this relay itself listens there, perhaps as its admin server: choose another port`;
  const who = owner === undefined ? 'another process' : `process ${String(owner.pid)} (${owner.name})`;
  return `${what}: ${who} listens there: stop it, or choose another port`;
}

async function ownerOf({ protocol, listen }: SocketSpec): Promise<PortOwner | undefined> {
  const { portOwner } = await import('./port-owner.ts'); // rarely needed, and costs memory
  return portOwner(protocol, listen);
}

/** How many faults are listed in full. */
const maxListed = 3;

/** The distinct messages of `faults`, shortened, because those of a port range are often alike. */
export function faultsText(faults: readonly BindFault[]): string {
  const messages = [...new Set(faults.map(({ message }) => message))];
  const more = messages.length - maxListed;
  return [...messages.slice(0, maxListed), ...(more > 0 ? [`and ${String(more)} more like these`] : [])].join(
    '; ',
  );
}

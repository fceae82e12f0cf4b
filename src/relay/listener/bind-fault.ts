import { socketAddressText } from '../../config/address.ts';
import { conflictAt } from '../../config/listen-conflicts.ts';
import type { EndpointConfig } from '../../config/relay-config.ts';
import { asError, errorCode } from '../../lib/errors.ts';
import type { SocketSpec } from './socket-plan.ts';

/** Why a listening socket could not be bound. */
export type BindFault = {
  /** Machine-readable, for example `AddressInUse`. */
  readonly reason: 'AddressInUse' | 'AddressNotAvailable' | 'NotPermitted' | 'NameNotFound' | 'BindFailed';
  /** Human-readable: what is wrong, and the remedy. */
  readonly message: string;
  readonly error: Error;
};

/**
 * Explains why `spec` could not be bound for `endpoint`. Never rejects.
 *
 * @param endpoints  all endpoints of the relay. If one of them holds the port, the message names it; otherwise the
 *   process that does, if this one may read that.
 */
export async function bindFault(
  error: unknown,
  spec: SocketSpec,
  endpoint: EndpointConfig | undefined,
  endpoints: readonly EndpointConfig[],
): Promise<BindFault> {
  if (errorCode(error) !== 'EADDRINUSE') return otherFault(error, spec);
  const own = endpoint && conflictAt({ ...endpoint, listen: spec.listen }, endpoints);
  const message = own ?? (await inUse(spec));
  return { reason: 'AddressInUse', message, error: asError(error) };
}

function otherFault(error: unknown, spec: SocketSpec): BindFault {
  const where = whereText(spec);
  const fault = asError(error);
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

async function inUse(spec: SocketSpec): Promise<string> {
  const { portOwner } = await import('./port-owner.ts'); // rarely needed, and costs memory
  const owner = await portOwner(spec.protocol, spec.listen);
  const what = `${whereText(spec)}: address in use`;
  if (owner?.pid === process.pid)
    return `${what}: this relay itself listens there, perhaps as its admin server: choose another port`;
  const who = owner === undefined ? 'another process' : `process ${String(owner.pid)} (${owner.name})`;
  return `${what}: ${who} listens there: stop it, or choose another port`;
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

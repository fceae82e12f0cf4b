import net, { type AddressInfo } from 'node:net';
import { RealmError } from '../../lib/errors.ts';

// The only file that uses this private name of Node: its cluster module binds the sockets of workers by it.
type ServerHandle = { close: () => void; getsockname: (into: Partial<AddressInfo>) => number };
type CreateServerHandle = (
  ...args: [address: string, port: number, family: 4 | 6, fd: number, flags: number]
) => ServerHandle | number;

const ipv6OnlyFlag = 1; // UV_TCP_IPV6ONLY

/** A TCP socket that is bound and not listening: every process that it is sent to can listen on it. */
export type BoundHandle = {
  /** For `child.send` and `server.listen`. */
  readonly handle: object;
  /** As bound: never 0. */
  readonly port: number;
  /** Closes this process's copy. */
  readonly close: () => void;
};

/** This Node does not support workers. */
class WorkersUnsupportedError extends RealmError {
  readonly code = 'REALM_WORKERS_UNSUPPORTED';
}

/** A socket could not be bound. */
class BindError extends RealmError {
  readonly code: string;

  constructor(code: string, address: string, port: number) {
    super(`bind ${code} ${address}:${String(port)}`);
    this.code = code;
  }
}

/** @throws WorkersUnsupportedError if this Node does not have the private name. */
export function requireBoundHandles(): void {
  if (createServerHandle() !== undefined) return;
  throw new WorkersUnsupportedError(
    `--workers: Node.js ${process.version} has no net._createServerHandle: use 1, or Node.js 24 or 26`,
  );
}

/**
 * Binds a TCP socket; IPV6_V6ONLY is set explicitly, on or off.
 *
 * @param address  an IP address.
 * @throws BindError with the kernel's code, e.g. EADDRINUSE. Two sockets can be bound to one port as long as neither
 *   listens; the second one that listens then fails.
 */
export function bindHandle(address: string, port: number, ipv6Only: boolean): BoundHandle {
  const family = net.isIPv6(address) ? 6 : 4;
  const handle = createServerHandle()?.(address, port, family, -1, ipv6Only ? ipv6OnlyFlag : 0);
  if (typeof handle === 'number') throw new BindError(errorName(handle), address, port);
  if (handle === undefined) throw new BindError('ENOSYS', address, port);
  const bound: Partial<AddressInfo> = {};
  handle.getsockname(bound);
  const close = (): void => {
    handle.close();
  };
  if (bound.port !== undefined && bound.port !== 0) return { handle, port: bound.port, close };
  close();
  throw new BindError('EADDRINUSE', address, port); // libuv reports it only when the socket listens
}

/** The bound socket `fd`, which the handle owns from now on. */
export function inheritedHandle(fd: number, port: number): BoundHandle {
  const handle = createServerHandle()?.('', 0, 4, fd, 0);
  if (typeof handle !== 'object') throw new BindError('EINVAL', `descriptor ${String(fd)} for port`, port);
  const bound: Partial<AddressInfo> = {};
  handle.getsockname(bound);
  return {
    handle,
    port: bound.port ?? port,
    close: () => {
      handle.close();
    },
  };
}

function createServerHandle(): CreateServerHandle | undefined {
  const { _createServerHandle: create } = net as { _createServerHandle?: CreateServerHandle };
  return typeof create === 'function' ? create : undefined;
}

function errorName(number: number): string {
  return process.getBuiltinModule('node:util').getSystemErrorName(number);
}

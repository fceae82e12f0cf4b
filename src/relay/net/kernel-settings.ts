import { Socket } from 'node:net';
import { constants } from '../kernel/constants.ts';
import type { KernelSocket } from '../kernel/kernel-socket.ts';
import { setDscp, setKeepalive, setUserTimeout } from '../kernel/socket-options.ts';
import type { SocketSettings } from './channel.ts';

/** The settings of a new socket. */
export const noSettings: SocketSettings = {
  tcpKeepaliveMs: 0,
  tcpKeepaliveProbes: 0,
  tcpUserTimeoutMs: 0,
  dscp: 0,
};

/** Of a socket that another program, or another thread, may have set up: whatever is wanted differs from them. */
export const unknownSettings: SocketSettings = {
  tcpKeepaliveMs: NaN,
  tcpKeepaliveProbes: NaN,
  tcpUserTimeoutMs: NaN,
  dscp: 0, // which a listening socket never has
};

/**
 * Sets what of `wanted` differs from `current`, the settings that the socket has. A connection that is gone already takes none,
 * which its reads report.
 */
export function applySettings(socket: KernelSocket, wanted: SocketSettings, current: SocketSettings): void {
  if (wanted === current) return;
  const { tcpKeepaliveMs, tcpKeepaliveProbes, dscp } = wanted;
  if (tcpKeepaliveMs !== current.tcpKeepaliveMs || tcpKeepaliveProbes !== current.tcpKeepaliveProbes)
    setKeepalive(socket, tcpKeepaliveMs, tcpKeepaliveProbes);
  if (dscp !== current.dscp) setDscp(socket, dscp);
  const timeoutMs = userTimeoutMs(wanted);
  if (timeoutMs !== userTimeoutMs(current)) setUserTimeout(socket, timeoutMs);
}

/** Whether `socket` has `settings`, but for `dscp`, as its kernel reports them. */
export function hasSettings(socket: KernelSocket, settings: SocketSettings): boolean {
  const { SOL_SOCKET, IPPROTO_TCP } = constants;
  const seconds = Math.floor(settings.tcpKeepaliveMs / 1000);
  const wanted = [[SOL_SOCKET, constants.SO_KEEPALIVE, Number(seconds > 0)]];
  wanted.push([IPPROTO_TCP, constants.TCP_USER_TIMEOUT, userTimeoutMs(settings)]);
  if (seconds > 0) {
    wanted.push([IPPROTO_TCP, constants.TCP_KEEPIDLE, seconds]);
    wanted.push([IPPROTO_TCP, constants.TCP_KEEPINTVL, seconds]);
    wanted.push([IPPROTO_TCP, constants.TCP_KEEPCNT, settings.tcpKeepaliveProbes]);
  }
  try {
    return wanted.every(([level = 0, name = 0, value]) => socket.option(level, name) === value);
  } catch {
    return false; // not every sandbox has all of these options
  }
}

/** tcp(7): the timeout overrides keepalive, which gives up after its last probe. */
function userTimeoutMs({ tcpKeepaliveMs, tcpKeepaliveProbes, tcpUserTimeoutMs }: SocketSettings): number {
  if (tcpUserTimeoutMs === 0) return 0;
  return Math.max(tcpUserTimeoutMs, tcpKeepaliveMs * (tcpKeepaliveProbes + 1));
}

/** A stream on the descriptor `fd`, which nothing else uses from now on. */
export function streamOf(fd: number): Socket {
  return new Socket({ fd, readable: true, writable: true, allowHalfOpen: true });
}

import { Socket } from 'node:net';
import type { KernelSocket } from '../kernel/kernel-socket.ts';
import { setDscp, setKeepalive, setUserTimeout } from '../kernel/socket-options.ts';
import type { SocketSettings } from './channel.ts';

/** A connection that is gone already takes no settings, which its reads report. */
export function applySettings(socket: KernelSocket, settings: SocketSettings): void {
  const { tcpKeepaliveMs, tcpKeepaliveProbes, tcpUserTimeoutMs, dscp } = settings;
  setKeepalive(socket, tcpKeepaliveMs, tcpKeepaliveProbes);
  if (dscp > 0) setDscp(socket, dscp);
  if (tcpUserTimeoutMs === 0) return;
  // tcp(7): the timeout overrides keepalive, which gives up after its last probe
  setUserTimeout(socket, Math.max(tcpUserTimeoutMs, tcpKeepaliveMs * (tcpKeepaliveProbes + 1)));
}

/** A stream on the descriptor `fd`, which nothing else uses from now on. */
export function streamOf(fd: number): Socket {
  return new Socket({ fd, readable: true, writable: true, allowHalfOpen: true });
}

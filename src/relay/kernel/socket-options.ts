import { constants } from './constants.ts';
import { systemError } from './errno.ts';
import type { KernelSocket } from './kernel-socket.ts';

const { SOL_SOCKET, IPPROTO_TCP, IPPROTO_IPV6 } = constants;

/** Does not wait to fill packets. A socket that is accepted has it from its listening socket. */
export function setNoDelay(socket: KernelSocket): void {
  socket.setOption(IPPROTO_TCP, constants.TCP_NODELAY, 1);
}

/**
 * Has the kernel send keepalive probes. A connection that is gone already takes no options, which its reads report. A socket
 * that is accepted has them, and the user timeout, from its listening socket.
 *
 * @param intervalMs  until the first probe, and between probes, in whole seconds; 0 = no probes.
 */
export function setKeepalive(socket: KernelSocket, intervalMs: number, probes: number): void {
  const seconds = Math.floor(intervalMs / 1000);
  if (seconds === 0) {
    socket.setOption(SOL_SOCKET, constants.SO_KEEPALIVE, 0);
    return;
  }
  socket.setOption(IPPROTO_TCP, constants.TCP_KEEPIDLE, seconds);
  socket.setOption(IPPROTO_TCP, constants.TCP_KEEPINTVL, seconds);
  socket.setOption(IPPROTO_TCP, constants.TCP_KEEPCNT, probes);
  socket.setOption(SOL_SOCKET, constants.SO_KEEPALIVE, 1); // starts the timer, which a later TCP_KEEPIDLE would set again
}

/** Ends the connection once what was sent has stayed unacknowledged for `timeoutMs`; 0 = as the system has it. */
export function setUserTimeout(socket: KernelSocket, timeoutMs: number): void {
  socket.setOption(IPPROTO_TCP, constants.TCP_USER_TIMEOUT, timeoutMs);
}

/** Marks its packets with the code point `dscp`, 0 to 63, in IPv4 and IPv6; a socket without one has 0. */
export function setDscp(socket: KernelSocket, dscp: number): void {
  const field = dscp << 2; // RFC 2474, section 3: the upper six bits of the octet
  socket.setOption(constants.IPPROTO_IP, constants.IP_TOS, field); // also of IPv4 on an IPv6 socket
  socket.setOption(IPPROTO_IPV6, constants.IPV6_TCLASS, field); // fails on an IPv4 socket, which has none
}

/** A socket that is bound to an address without a port gets its port only when it connects: ports serve many remotes then. */
export function setBindAddressNoPort(socket: KernelSocket): void {
  socket.setOption(constants.IPPROTO_IP, constants.IP_BIND_ADDRESS_NO_PORT, 1);
}

/** Binds it to a network interface, which needs no privilege. @throws the system's error, e.g. ENODEV. */
export function bindToDevice(socket: KernelSocket, device: string): void {
  const status = socket.setTextOption(SOL_SOCKET, constants.SO_BINDTODEVICE, device);
  if (status === 0) return;
  const error = systemError('setsockopt', status);
  throw Object.assign(error, { message: `${error.message}: interface ${device}` });
}

/** Whether an IPv6 socket excludes IPv4, whatever `net.ipv6.bindv6only` is. @throws the system's error. */
export function setIpv6Only(socket: KernelSocket, isOn: boolean): void {
  required(socket, IPPROTO_IPV6, constants.IPV6_V6ONLY, Number(isOn));
}

/** Lets a listening socket bind a port whose earlier connections are in TIME_WAIT. @throws the system's error. */
export function setReuseAddress(socket: KernelSocket): void {
  required(socket, SOL_SOCKET, constants.SO_REUSEADDR, 1);
}

/** Whether further sockets may be bound to the port of a socket that is bound, and have this option, too. @throws the system's error. */
export function setReusePort(socket: KernelSocket, isOn: boolean): void {
  required(socket, SOL_SOCKET, constants.SO_REUSEPORT, Number(isOn));
}

/** Has each datagram come with the address of this host that it was sent to. @throws the system's error. */
export function receiveWithLocalAddress(socket: KernelSocket, isIpv6: boolean): void {
  if (isIpv6)
    required(socket, IPPROTO_IPV6, constants.IPV6_RECVPKTINFO, 1); // also for IPv4, whose addresses are mapped
  else required(socket, constants.IPPROTO_IP, constants.IP_PKTINFO, 1);
}

/** Has the kernel put datagrams of one size and flow together, if it can. */
export function receiveMerged(socket: KernelSocket): void {
  socket.setOption(constants.SOL_UDP, constants.UDP_GRO, 1); // not before Linux 5.0
}

/** The buffers of a socket, which the system caps at net.core.rmem_max and net.core.wmem_max. */
export function setBufferBytes(socket: KernelSocket, bytes: number): void {
  socket.setOption(SOL_SOCKET, constants.SO_RCVBUF, bytes);
  socket.setOption(SOL_SOCKET, constants.SO_SNDBUF, bytes);
}

function required(socket: KernelSocket, level: number, name: number, value: number): void {
  const status = socket.setOption(level, name, value);
  if (status !== 0) throw systemError('setsockopt', status);
}

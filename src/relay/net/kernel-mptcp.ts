import { errorCode } from '../../lib/errors.ts';
import { ownValue } from '../../lib/record.ts';
import { constants } from '../kernel/constants.ts';
import { KernelSocket } from '../kernel/kernel-socket.ts';
import { MptcpError, type MptcpFault, type MptcpKey } from './mptcp-error.ts';

/** What to do about the errors that a kernel without MPTCP has. Source: Linux, __sock_create and mptcp_init_sock. */
const remedies: Readonly<Record<string, string>> = {
  EPROTONOSUPPORT: 'use a kernel with CONFIG_MPTCP, which Linux has since 5.6',
  EINVAL: 'use Linux 5.6 or later with CONFIG_MPTCP', // it has no protocol with that number
  ENOPROTOOPT: 'run "sysctl -w net.mptcp.enabled=1"',
  EPERM: 'have the seccomp profile allow the protocol 262 in socket()',
  EACCES: 'have SELinux or AppArmor allow the protocol 262 in socket()',
};

/** Why the kernel opens no MPTCP sockets; undefined if it does. */
export function mptcpFaultOfKernel(): MptcpFault | undefined {
  try {
    openMptcp('127.0.0.1').close();
    return undefined;
  } catch (error) {
    return faultOf(error); // any other, for example EMFILE, says nothing about MPTCP
  }
}

/**
 * Opens a TCP socket of the family of `address`.
 *
 * @param mptcp  the setting that requests MPTCP; undefined = plain TCP.
 * @throws MptcpError if the kernel has none, else the system's error, e.g. EMFILE.
 */
export function openTcpSocket(address: string, mptcp: MptcpKey | undefined): KernelSocket {
  if (mptcp === undefined) return KernelSocket.open(address, { type: 'stream' });
  try {
    return openMptcp(address);
  } catch (cause) {
    const fault = faultOf(cause);
    throw fault === undefined ? cause : new MptcpError(mptcp, fault, { cause });
  }
}

function openMptcp(address: string): KernelSocket {
  return KernelSocket.open(address, { type: 'stream', protocol: constants.IPPROTO_MPTCP });
}

function faultOf(error: unknown): MptcpFault | undefined {
  const code = errorCode(error);
  const remedy = ownValue(remedies, code);
  return remedy === undefined ? undefined : { reason: `the kernel opens no MPTCP sockets (${code})`, remedy };
}

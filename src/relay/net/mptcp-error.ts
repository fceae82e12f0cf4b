import { RealmError } from '../../lib/errors.ts';

/** Why no MPTCP sockets can be opened here, and what to do about it. */
export type MptcpFault = { readonly reason: string; readonly remedy: string };

/** The setting that requests MPTCP sockets: towards remotes, or towards clients. */
export type MptcpKey = 'send_mptcp' | 'accept_mptcp';

/** Node.js has no function to choose the protocol of a socket. */
export const mptcpFaultOfNode: MptcpFault = {
  reason: 'the engine node cannot open MPTCP sockets',
  remedy: 'use --engine kernel',
};

/** What is wrong with the value true of `key`. */
export function mptcpProblem(key: MptcpKey, { reason, remedy }: MptcpFault): string {
  return `network.${key}: is true, but ${reason}: ${remedy}, or set it to false`;
}

/** A socket was requested that cannot be opened here. As in Realm nothing falls back to plain TCP. */
export class MptcpError extends RealmError {
  readonly code = 'REALM_MPTCP';

  constructor(key: MptcpKey, fault: MptcpFault, options?: ErrorOptions) {
    super(mptcpProblem(key, fault), options);
  }
}

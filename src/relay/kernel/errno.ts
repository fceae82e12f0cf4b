import { getSystemErrorName } from 'node:util';
import { RealmError } from '../../lib/errors.ts';

/** Where a call wanted to go, for its error. */
export type Where = { readonly address: string; readonly port: number };

/**
 * The error of a system call, as Node's own modules make it: `connect ECONNREFUSED 127.0.0.1:80` with `code`, `errno`,
 * `syscall`, and `address` and `port` if `where` is given.
 *
 * @param number  the negative error number that the call returned.
 */
export function systemError(syscall: string, number: number, where?: Where): NodeJS.ErrnoException {
  const code = getSystemErrorName(number);
  const text = where === undefined ? '' : ` ${where.address}:${String(where.port)}`;
  return Object.assign(new Error(`${syscall} ${code}${text}`), { code, errno: number, syscall, ...where });
}

/** @returns `result`. @throws the system error of `syscall` if it is negative. */
export function checked(syscall: string, result: number, where?: Where): number {
  if (result < 0) throw systemError(syscall, result, where);
  return result;
}

/** This software used the kernel's interface wrongly: a bug, which is stopped before it reaches memory. */
export class KernelMisuseError extends RealmError {
  readonly code = 'REALM_KERNEL_MISUSE';
}

/** This process cannot make system calls through node:ffi; the message is the reason. */
export class KernelUnavailableError extends RealmError {
  readonly code = 'REALM_KERNEL_UNAVAILABLE';
}

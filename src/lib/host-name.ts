/**
 * Matches a host whose last label is a number in any notation. No host name ends so: resolvers read it as an IPv4 address,
 * e.g. `0x7f.1` as 127.0.0.1. The pattern is also RE2, for CEL.
 *
 * Source: URL Standard, "ends in a number checker"; POSIX, inet_addr (decimal, octal and hexadecimal, one to four parts).
 */
export const numericEnd = /(^|[.])([0-9]+|0[xX][0-9A-Fa-f]*)[.]?$/;

/** What to write in place of such a host. */
export const numericEndRemedy =
  'write an IPv4 address as four decimal numbers, such as 127.0.0.1, or a host name whose last label is no number';

/** What `localhost` means if the hosts file does not state it. */
export const loopbackAddresses: readonly string[] = ['::1', '127.0.0.1'];

/**
 * Whether `name`, in lower case, is this machine by definition, so that no name server is asked for it.
 *
 * Source: RFC 6761, section 6.3.
 */
export function isLocalhost(name: string): boolean {
  return `.${name.replace(/\.$/, '')}`.endsWith('.localhost');
}

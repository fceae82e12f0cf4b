import type { IncomingMessage } from 'node:http';

/** Where an HTTP request goes to. */
export type RequestTarget = {
  /** The name or address in lower case, without port and brackets; undefined if the request has none, as in HTTP/1.0. */
  readonly host: string | undefined;
  readonly path: string;
  /** Without its question mark. */
  readonly query: string;
};

/** RFC 9112, section 3.2.2: clients of a proxy send it. */
const absoluteForm = /^http:\/\/([^/?]*)([/?].*)?$/is;

/**
 * The target of `request`.
 *
 * @returns undefined if it is not valid: RFC 9112, section 3.2 requires status 400 for a second Host field, and for one whose
 *   value is no host; RFC 9110, section 4.2.1 rejects a URI without a host.
 */
export function requestTarget({ url = '', headersDistinct }: IncomingMessage): RequestTarget | undefined {
  const hosts = (headersDistinct['host'] ?? []).map(hostOf);
  if (hosts.length > 1 || hosts.some((host) => host === undefined)) return undefined;
  const absolute = absoluteForm.exec(url);
  if (absolute === null) return { host: hosts[0], ...pathAndQuery(url) };
  const [, authority = '', rest = ''] = absolute;
  const host = hostOf(authority); // counts instead of the Host field
  return host === undefined || host === '' ? undefined : { host, ...pathAndQuery(rest) };
}

function pathAndQuery(text: string): Pick<RequestTarget, 'path' | 'query'> {
  const [path = '', query = ''] = text.split('?', 2);
  return { path: path === '' ? '/' : path, query };
}

/** A host, and a port if there is one: RFC 3986, section 3.2. */
const hostAndPort = /^(?:\[([0-9a-z:.%_~-]*)\]|([a-z0-9._~!$&'()*+,;=%-]*))(?::[0-9]*)?$/i;

function hostOf(authority: string): string | undefined {
  const [whole, inBrackets, plain = ''] = hostAndPort.exec(authority) ?? [];
  return whole === undefined ? undefined : (inBrackets ?? plain).toLowerCase();
}

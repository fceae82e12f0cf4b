import type { WebSocketTarget } from '../../config/transport.ts';

/** The header fields of a request, with names in lower case. */
export type RequestHeaders = Readonly<Record<string, string>>;

/** A valid request, or why it is not valid. */
export type ReadRequest = { readonly headers: RequestHeaders } | { readonly fault: string };

/** How long the head of a request may be, as in Realm. */
export const maxHeadBytes = 8192;

const requestLine = /^GET ([!-~]+) HTTP\/1\.1$/;
const headerLine = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*$/;

/**
 * Checks the head of a WebSocket request against the host and path of the endpoint (RFC 6455, section 4.2.1).
 *
 * @param head  in Latin-1, without the empty line at its end.
 */
export function readRequest(head: string, { host, path }: WebSocketTarget): ReadRequest {
  const [first = '', ...lines] = head.split('\r\n');
  const requestedPath = requestLine.exec(first)?.[1];
  if (requestedPath === undefined) return { fault: 'not an HTTP/1.1 GET request' };
  const headers = readHeaders(lines);
  if (headers === undefined) return { fault: 'a header field is malformed or given twice' };
  if (headers['host'] !== host || requestedPath !== path)
    return { fault: 'no endpoint at this host and path' };
  const fault = upgradeFault(headers);
  return fault === undefined ? { headers } : { fault };
}

/** Whether a valid request is that of Realm's client: the required fields alone, and `upgrade` in lower case. */
export function isOfRealm(headers: RequestHeaders): boolean {
  return headers['connection'] === 'upgrade' && Object.keys(headers).length === requiredFields;
}

const requiredFields = 5; // host, upgrade, connection, key and version

/** @returns undefined if a line is malformed, or a field that must be unique occurs twice. */
function readHeaders(lines: readonly string[]): RequestHeaders | undefined {
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const [, field, value = ''] = headerLine.exec(line) ?? [];
    if (field === undefined) return undefined;
    const name = field.toLowerCase();
    const before = Object.hasOwn(headers, name) ? headers[name] : undefined;
    if (before !== undefined && uniqueFields.has(name)) return undefined;
    headers[name] = before === undefined ? value : `${before}, ${value}`;
  }
  return headers;
}

const uniqueFields = new Set(['host', 'sec-websocket-key', 'sec-websocket-version']);

function upgradeFault(headers: RequestHeaders): string | undefined {
  if (!hasToken(headers['upgrade'], 'websocket')) return 'the request has no Upgrade: websocket';
  if (!hasToken(headers['connection'], 'upgrade')) return 'the request has no Connection: upgrade';
  if (headers['sec-websocket-version'] !== '13') return 'its Sec-WebSocket-Version is not 13';
  if (!/^[+/0-9A-Za-z]{22}==$/.test(headers['sec-websocket-key'] ?? ''))
    return 'its Sec-WebSocket-Key is not 16 bytes in Base64';
  if (headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined)
    return 'the request has a body';
  return undefined;
}

/** Whether the list `value` contains `token`, in upper or lower case. */
function hasToken(value: string | undefined, token: string): boolean {
  return (value ?? '').split(',').some((each) => each.trim().toLowerCase() === token);
}

import type { WebSocketTarget } from '../../config/transport.ts';

/** The header fields of a request, names in lower case. */
export type RequestHeaders = Readonly<Record<string, string>>;

/** A head that is a good request, or why it is none. */
export type ReadRequest = { readonly headers: RequestHeaders } | { readonly fault: string };

/** The head of a request may be this long, as in Realm. */
export const mostHeadBytes = 8192;

const requestLine = /^GET ([!-~]+) HTTP\/1\.1$/;
const headerLine = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*$/;

/**
 * Holds the head of a WebSocket request against what the endpoint asks for (RFC 6455, section 4.2.1).
 *
 * @param head  in Latin-1, without the empty line at its end.
 */
export function readRequest(head: string, { host, path }: WebSocketTarget): ReadRequest {
  const [first = '', ...lines] = head.split('\r\n');
  const asked = requestLine.exec(first)?.[1];
  if (asked === undefined) return { fault: 'not a GET request of HTTP/1.1' };
  const headers = readHeaders(lines);
  if (headers === undefined) return { fault: 'a header field is malformed or given twice' };
  if (headers['host'] !== host || asked !== path) return { fault: 'there is nothing at this host and path' };
  const fault = upgradeFault(headers);
  return fault === undefined ? { headers } : { fault };
}

/** Whether a good request is that of Realm's client: its library writes the needed fields alone, and `upgrade` in lower case. */
export function isOfRealm(headers: RequestHeaders): boolean {
  return headers['connection'] === 'upgrade' && Object.keys(headers).length === neededFields;
}

const neededFields = 5; // host, upgrade, connection, key and version

/** @returns undefined where a line is none, or a field is there twice that may not be. */
function readHeaders(lines: readonly string[]): RequestHeaders | undefined {
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const [, field, value = ''] = headerLine.exec(line) ?? [];
    if (field === undefined) return undefined;
    const name = field.toLowerCase();
    const before = Object.hasOwn(headers, name) ? headers[name] : undefined;
    if (before !== undefined && single.has(name)) return undefined;
    headers[name] = before === undefined ? value : `${before}, ${value}`;
  }
  return headers;
}

const single = new Set(['host', 'sec-websocket-key', 'sec-websocket-version']);

function upgradeFault(headers: RequestHeaders): string | undefined {
  if (!hasToken(headers['upgrade'], 'websocket'))
    return 'the request does not ask for an upgrade to websocket';
  if (!hasToken(headers['connection'], 'upgrade')) return 'its connection field does not say upgrade';
  if (headers['sec-websocket-version'] !== '13') return 'its version of WebSocket is not 13';
  if (!/^[+/0-9A-Za-z]{22}==$/.test(headers['sec-websocket-key'] ?? ''))
    return 'its key is not 16 bytes in Base64';
  if (headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined)
    return 'it has a body';
  return undefined;
}

/** Whether the list `value` holds `token`, in any case of letters. */
function hasToken(value: string | undefined, token: string): boolean {
  return (value ?? '').split(',').some((each) => each.trim().toLowerCase() === token);
}

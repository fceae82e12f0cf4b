import type { WebSocketTarget } from '../../config/transport.ts';
import { trimmedEnd } from '../../lib/trimmed.ts';

/** The header fields of a request or an answer, with names in lower case. */
export type RequestHeaders = Readonly<Record<string, string>>;

/** A valid request, or why it is not valid. */
export type ReadRequest = { readonly headers: RequestHeaders } | { readonly fault: string };

/** How long the head of a request or of its answer may be, as in Realm. */
export const maxHeadBytes = 8192;

const requestLine = /^GET ([!-~]+) HTTP\/1\.1$/;
/** Clients of a proxy send it. Its host counts instead of the Host field (RFC 9112, section 3.2.2). */
const absoluteForm = /^https?:\/\/([^/]+)(\/.*)$/i;
/** RFC 9110, section 5.6.2. */
const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** RFC 9110, section 5.5: no control characters, so no line break of any kind. */
const fieldValue = /^[\t -~\u0080-\u00ff]*$/;

/**
 * Checks the head of a WebSocket request against the host and path of the endpoint (RFC 6455, section 4.2.1).
 *
 * @param head  in Latin-1, without the empty line at its end.
 */
export function readRequest(
  head: string,
  { host, path }: Pick<WebSocketTarget, 'host' | 'path'>,
): ReadRequest {
  const [first = '', ...lines] = head.split('\r\n');
  const target = requestLine.exec(first)?.[1];
  if (target === undefined) return { fault: 'not an HTTP/1.1 GET request' };
  const headers = readHeaders(lines);
  if (headers === undefined) return { fault: 'a header field is malformed or given twice' };
  const requested = requestedAt(target, headers['host']);
  if (!isSameHost(requested.host, host) || requested.path !== path)
    return { fault: 'no endpoint at this host and path' };
  const fault = upgradeFault(headers);
  return fault === undefined ? { headers } : { fault };
}

/** Where a request goes to. */
type RequestedAt = { readonly host: string; readonly path: string };

function requestedAt(target: string, field = ''): RequestedAt {
  const [, host = field, path = target] = absoluteForm.exec(target) ?? [];
  return { host, path };
}

/**
 * Whether the Host field `requested` names `host`: in any case of letters, with or without the dot of the root, and with any
 * port unless `host` has one (RFC 9110, section 7.2: clients add the port of their URI, which may be empty: RFC 3986,
 * section 3.2.3).
 */
function isSameHost(requested: string, host: string): boolean {
  const [given, wanted] = [partsOf(requested), partsOf(host)];
  return given.name === wanted.name && (wanted.port === '' || given.port === wanted.port);
}

const portAtEnd = /:[0-9]{0,5}$/;

/** The port with its colon, '' if there is none. */
function partsOf(host: string): { readonly name: string; readonly port: string } {
  const [port = ''] = portAtEnd.exec(host) ?? [];
  const name = host.slice(0, host.length - port.length).toLowerCase();
  // RFC 3986, section 3.2.2: a dot at the end of a registered name is that of the root
  return { name: name.length > 1 && name.endsWith('.') ? name.slice(0, -1) : name, port };
}

/** Whether a valid request is that of Realm's client: the required fields alone, and `upgrade` in lower case. */
export function isOfRealm(headers: RequestHeaders): boolean {
  return headers['connection'] === 'upgrade' && Object.keys(headers).length === requiredFields;
}

const requiredFields = 5; // host, upgrade, connection, key and version

/** @returns undefined if a line is malformed, or a field that must be unique occurs twice. */
export function readHeaders(lines: readonly string[]): RequestHeaders | undefined {
  const headers = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(':');
    const name = line.slice(0, Math.max(0, colon)).toLowerCase();
    const value = trimmedEnd(line.slice(colon + 1).replace(/^[ \t]+/, ''), ' \t');
    if (!token.test(name) || !fieldValue.test(value)) return undefined;
    const before = headers.get(name);
    if (before !== undefined && uniqueFields.has(name)) return undefined;
    headers.set(name, before === undefined ? value : `${before}, ${value}`);
  }
  return Object.fromEntries(headers);
}

const uniqueFields = new Set(['host', 'sec-websocket-key', 'sec-websocket-version', 'sec-websocket-accept']);

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

/** Whether the list `value` contains `word`, in upper or lower case. */
export function hasToken(value: string | undefined, word: string): boolean {
  return (value ?? '').split(',').some((each) => each.trim().toLowerCase() === word);
}

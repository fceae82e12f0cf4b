import type { Sni } from '../api/sni.ts';
import { fields, listOf, text, type Rule } from '../lib/document-rules.ts';
import type { Path, Problem } from '../lib/problem.ts';
import { canonicalServerName, isServerName, serverNameRemedy } from '../lib/server-name.ts';
import type { EndpointNetwork } from './network-keys.ts';
import type { ListenTransportConfig } from './transport.ts';

const host: Rule<string> = (value, path, findings) => {
  const written = text(value, path, findings);
  if (written === undefined) return undefined;
  const name = canonicalServerName(written);
  if (isServerName(name)) return name;
  const what = 'is no name that clients of TLS can ask for';
  findings.problems.push({ path, what, value, remedy: serverNameRemedy });
  return undefined;
};

const hosts: Rule<readonly string[]> = (value, path, findings) => {
  const names = listOf(host)(value, path, findings);
  if (names === undefined || names.length > 0) return names && [...new Set(names)];
  if (Array.isArray(value) && value.length > 0) return undefined; // none is valid
  const remedy = 'list a name, or remove it to serve every name that no other endpoint has';
  findings.problems.push({ path, what: 'is empty', remedy });
  return undefined;
};

const table = fields({ hosts });

/** `sni`: a table with the names of an endpoint's TLS clients. */
export const sniRule: Rule<Sni> = (value, path, findings) => {
  const read = table(value, path, findings);
  return read && { hosts: read.hosts ?? [] };
};

/** The part of an endpoint that `sni` goes with. */
type Served = {
  readonly sni: Sni | undefined;
  readonly network: EndpointNetwork;
  readonly listenTransport: ListenTransportConfig | undefined;
};

/** What keeps an endpoint at `path` from serving the clients of its `sni`. */
export function sniProblems({ sni, network: { tcp, udp }, listenTransport }: Served, path: Path): Problem[] {
  if (sni === undefined) return [];
  const at = { path: [...path, 'sni'] };
  const problems: Problem[] = [];
  if (udp) {
    const what = `is for TLS over TCP, and the endpoint relays ${tcp ? 'UDP, too' : 'UDP'}`;
    const remedy = 'set no_tcp and use_udp to false, and relay UDP with an endpoint of its own';
    problems.push({ ...at, what, remedy });
  }
  if (listenTransport !== undefined && listenTransport.tls === undefined) {
    const what = 'is for clients of TLS, and listen_transport has no tls';
    problems.push({ ...at, what, remedy: 'add tls to listen_transport, or remove sni' });
  }
  return problems;
}

import type { EndpointSpec } from '../../api/schema/endpoint.ts';
import { present } from '../../lib/record.ts';
import type { EndpointConfig } from '../relay-config.ts';
import { remotePingSeconds } from '../transport.ts';
import type { ListenTls, RemoteTls, ServerCertificate, WebSocketTarget } from '../transport.ts';
import type { Secrets } from './secrets.ts';

type Specs = Pick<EndpointSpec, 'listenTransport' | 'remoteTransport'>;

/** The transports of an endpoint as fields of a RealmRelay, with Secrets instead of files. */
export function transportSpecs(
  { listenTransport: listen, remoteTransport: remote }: EndpointConfig,
  secrets: Secrets,
): Specs {
  return {
    ...(listen && {
      listenTransport: {
        ...present('tls', listen.tls && listenTls(listen.tls, secrets)),
        ...present('webSocket', listen.webSocket && webSocket(listen.webSocket, 0)),
      },
    }),
    ...(remote && {
      remoteTransport: {
        ...present('tls', remote.tls && remoteTls(remote.tls, secrets)),
        ...present('webSocket', remote.webSocket && webSocket(remote.webSocket, remotePingSeconds)),
      },
    }),
  };
}

/** @param usualSeconds  the default of the interval, which is left out. */
function webSocket({ host, path, pings: { intervalMs, timeoutMs } }: WebSocketTarget, usualSeconds: number) {
  const seconds = intervalMs / 1000;
  return {
    host,
    path,
    ...(seconds !== usualSeconds && { pingIntervalSeconds: seconds }),
    ...(timeoutMs !== undefined && { pingTimeoutSeconds: timeoutMs / 1000 }),
  };
}

function listenTls({ certificate, clientCa, alpn }: ListenTls, secrets: Secrets) {
  return {
    secretName: secrets.nameFor(certificateFiles(certificate)),
    ...(clientCa !== undefined && { clientCASecretName: secrets.nameFor({ 'ca.crt': clientCa }) }),
    ...(alpn !== undefined && { alpn: [...alpn] }),
  };
}

function remoteTls({ sni, alpn, insecure, ca, client }: RemoteTls, secrets: Secrets) {
  return {
    serverName: sni,
    ...(ca !== undefined && { caSecretName: secrets.nameFor({ 'ca.crt': ca }) }),
    ...(client && { clientSecretName: secrets.nameFor(pair(client)) }),
    ...(alpn.length > 0 && { alpn: [...alpn] }),
    ...(insecure && { insecure }),
  };
}

/**
 * A certificate that the relay would generate at start is expected in two files; `losses.ts` gives the command for them.
 */
function certificateFiles(certificate: ServerCertificate): Record<string, string> {
  if ('cert' in certificate) return pair(certificate);
  const { servername } = certificate;
  return pair({ cert: `${servername}.crt`, key: `${servername}.key` });
}

function pair({ cert, key }: { readonly cert: string; readonly key: string }) {
  return { 'tls.crt': cert, 'tls.key': key };
}

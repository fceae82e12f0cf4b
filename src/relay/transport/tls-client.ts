import { isIP, type Socket } from 'node:net';
import {
  connect,
  createSecureContext,
  type ConnectionOptions,
  type SecureContext,
  type TLSSocket,
} from 'node:tls';
import type { RemoteTls } from '../../config/transport.ts';
import { tlsFault } from './handshake-error.ts';

/** Which authorities the relay trusts as a client (absent = those of Node.js), and its certificate, if any. */
export type ClientMaterial = {
  readonly ca?: string;
  readonly client?: { readonly cert: string; readonly key: string };
};

/** The context of connections to a remote; to be created once, since that is slow. */
export function clientContext({ ca, client }: ClientMaterial): SecureContext {
  return createSecureContext({ minVersion: 'TLSv1.2', ...(ca !== undefined && { ca }), ...client });
}

/**
 * Does the TLS handshake over `raw`, which is connected to a remote.
 *
 * @throws HandshakeError, also if the remote's certificate is not trusted.
 */
export async function connectTls(
  raw: Socket,
  tls: RemoteTls,
  secureContext: SecureContext,
): Promise<TLSSocket> {
  const { promise, resolve, reject } = Promise.withResolvers<undefined>();
  const socket = connect(
    { socket: raw, secureContext, rejectUnauthorized: !tls.insecure, ...named(tls) },
    () => {
      resolve(undefined);
    },
  );
  socket.on('error', reject);
  const onClose = (): void => {
    reject(new Error('the peer closed the connection'));
  };
  socket.once('close', onClose);
  try {
    await promise;
    return socket;
  } catch (error) {
    throw tlsFault(error);
  } finally {
    socket.off('close', onClose);
  }
}

/** An IP address is no server name (RFC 6066, section 3), but a certificate can be for one. */
function named({ sni, alpn }: RemoteTls): ConnectionOptions {
  const protocols = alpn.length === 0 ? {} : { ALPNProtocols: [...alpn] };
  return isIP(sni) === 0 ? { servername: sni, ...protocols } : { host: sni, ...protocols };
}

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

/** What the side towards the remote trusts and shows; absent = what Node.js trusts, and nothing. */
export type ClientMaterial = {
  readonly ca?: string;
  readonly client?: { readonly cert: string; readonly key: string };
};

/** The context of connections to a remote; made once, since it takes long. */
export function clientContext({ ca, client }: ClientMaterial): SecureContext {
  return createSecureContext({ minVersion: 'TLSv1.2', ...(ca !== undefined && { ca }), ...client });
}

/**
 * TLS over `raw`, which is connected to a remote.
 *
 * @throws HandshakeError, also where the remote's certificate is not good.
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

/** An IP address is no server name (RFC 6066), but a certificate can be for one. */
function named({ sni, alpn }: RemoteTls): ConnectionOptions {
  const protocols = alpn.length === 0 ? {} : { ALPNProtocols: [...alpn] };
  return isIP(sni) === 0 ? { servername: sni, ...protocols } : { host: sni, ...protocols };
}

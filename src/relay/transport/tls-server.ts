import type { Socket } from 'node:net';
import { createServer, type SecureContextOptions, type Server, type TLSSocket } from 'node:tls';
import { HandshakeError, tlsFault } from './handshake-error.ts';

/** The certificates of the listening side. */
export type ServerMaterial = {
  readonly cert: string;
  readonly key: string;
  /** Clients must have a certificate of one of these authorities; absent = clients need none. */
  readonly clientCa?: string;
  /** OCSP response in DER. */
  readonly ocsp?: Buffer;
};

/**
 * TLS of the listening side, over sockets that were accepted elsewhere. As in Realm it has no ALPN, and one certificate
 * for every server name.
 */
export class TlsServer {
  readonly #server: Server;
  readonly #waiting = new Map<string, PromiseWithResolvers<TLSSocket>>();
  #material: ServerMaterial;

  constructor(material: ServerMaterial) {
    this.#material = material;
    // The client's certificate is checked in #authorized, which can give the reason of a refusal.
    const requestCert = material.clientCa !== undefined;
    this.#server = createServer({
      ...contextOf(material),
      requestCert,
      rejectUnauthorized: false,
      handshakeTimeout: 0,
    });
    this.#server.on('secureConnection', (socket) => {
      socket.on('error', () => undefined); // also if its handshake was given up meanwhile
      socket.allowHalfOpen = true;
      this.#waiting.get(nameOf(socket))?.resolve(socket);
    });
    this.#server.on('tlsClientError', (error, socket) => this.#waiting.get(nameOf(socket))?.reject(error));
    this.#server.on(
      'OCSPRequest',
      (_cert: Buffer, _issuer: Buffer, answer: (error: null, ocsp: Buffer | null) => void) => {
        answer(null, this.#material.ocsp ?? null);
      },
    );
  }

  /** Uses `material` for new connections from now on. */
  use(material: ServerMaterial): void {
    this.#material = material;
    this.#server.setSecureContext(contextOf(material));
  }

  /**
   * Does the TLS handshake with a client.
   *
   * @param raw  connected and not read by anything else; bytes that were put back into it are read first.
   * @throws HandshakeError
   */
  async accept(raw: Socket): Promise<TLSSocket> {
    const name = nameOf(raw);
    const waiting = Promise.withResolvers<TLSSocket>();
    this.#waiting.set(name, waiting);
    const onClose = (): void => {
      waiting.reject(new Error('the peer closed the connection'));
    };
    raw.once('close', onClose);
    raw.allowHalfOpen = false; // a handshake cannot succeed once the client has ended its side
    try {
      this.#server.emit('connection', raw);
      return this.#authorized(await waiting.promise);
    } catch (error) {
      throw error instanceof HandshakeError ? error : tlsFault(error);
    } finally {
      raw.off('close', onClose);
      this.#waiting.delete(name);
    }
  }

  #authorized(socket: TLSSocket): TLSSocket {
    if (this.#material.clientCa === undefined || socket.authorized) return socket;
    const why =
      socket.getPeerX509Certificate() === undefined
        ? 'the client sent no certificate'
        : `the client certificate is not valid: ${String(socket.authorizationError)}`;
    throw new HandshakeError(`TLS handshake failed: ${why}`);
  }
}

function contextOf({ cert, key, clientCa }: ServerMaterial): SecureContextOptions {
  return { cert, key, minVersion: 'TLSv1.2', ...(clientCa !== undefined && { ca: clientCa }) };
}

/** No two open connections have the same name. */
function nameOf({ remoteAddress, remotePort, localAddress }: Socket): string {
  return [remoteAddress, remotePort, localAddress].join(' ');
}

import type { Socket } from 'node:net';
import { createServer, type SecureContextOptions, type Server, type TLSSocket } from 'node:tls';
import { HandshakeError, tlsFault } from './handshake-error.ts';

/** What the listening side shows and asks for. */
export type ServerMaterial = {
  readonly cert: string;
  readonly key: string;
  /** Authorities of which clients must have a certificate; absent = none is asked for. */
  readonly clientCa?: string;
  /** OCSP response in DER. */
  readonly ocsp?: Buffer;
};

/**
 * TLS of the listening side, over connections that somebody else accepted. There is no ALPN and one certificate,
 * whatever name a client asks for, as in Realm.
 */
export class TlsServer {
  readonly #server: Server;
  readonly #waiting = new Map<string, PromiseWithResolvers<TLSSocket>>();
  #material: ServerMaterial;

  constructor(material: ServerMaterial) {
    this.#material = material;
    // Whether a client's certificate is good is looked at below, where it can be told why not.
    const requestCert = material.clientCa !== undefined;
    this.#server = createServer({
      ...contextOf(material),
      requestCert,
      rejectUnauthorized: false,
      handshakeTimeout: 0,
    });
    this.#server.on('secureConnection', (socket) => {
      socket.on('error', () => undefined); // also where nobody waits for it any more
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

  /** New connections are shown this from now on. */
  use(material: ServerMaterial): void {
    this.#material = material;
    this.#server.setSecureContext(contextOf(material));
  }

  /**
   * @param raw  connected, with nobody reading it; what was put back into it counts.
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
    raw.allowHalfOpen = false; // until the handshake is done: one whose client ended its side comes to nothing
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
        ? 'the client has no certificate'
        : `the certificate of the client is not good: ${String(socket.authorizationError)}`;
    throw new HandshakeError(`TLS handshake failed: ${why}`);
  }
}

function contextOf({ cert, key, clientCa }: ServerMaterial): SecureContextOptions {
  return { cert, key, minVersion: 'TLSv1.2', ...(clientCa !== undefined && { ca: clientCa }) };
}

/** No two open connections have the same one. */
function nameOf({ remoteAddress, remotePort, localAddress }: Socket): string {
  return [remoteAddress, remotePort, localAddress].join(' ');
}

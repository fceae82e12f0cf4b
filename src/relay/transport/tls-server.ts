import type { Socket } from 'node:net';
import { createServer, type SecureContextOptions, type Server, type TLSSocket } from 'node:tls';
import { asError } from '../../lib/errors.ts';
import { NoDataError } from '../net/no-data-error.ts';
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
 * TLS of the listening side, over sockets that were accepted elsewhere. As in Realm it has one certificate for every server
 * name.
 */
export class TlsServer {
  readonly #server: Server;
  readonly #waiting = new Map<Socket, PromiseWithResolvers<TLSSocket>>();
  #material: ServerMaterial;

  /**
   * @param alpn  protocols of the application, by preference. A client that offers others is rejected with the alert
   *   no_application_protocol, one that offers none is served. Without it the extension is ignored (RFC 7301, section 3.2).
   */
  constructor(material: ServerMaterial, alpn: readonly string[] = []) {
    this.#material = material;
    const requestCert = material.clientCa !== undefined;
    this.#server = createServer({
      ...contextOf(material),
      requestCert,
      rejectUnauthorized: requestCert,
      handshakeTimeout: 0,
      ...(alpn.length > 0 && { ALPNProtocols: [...alpn] }),
    });
    this.#server.on('secureConnection', (socket) => {
      socket.on('error', () => undefined); // also if its handshake was given up meanwhile
      socket.allowHalfOpen = true;
      this.#waiting.get(acceptedSocket(socket))?.resolve(socket);
    });
    this.#server.on('tlsClientError', (error, socket) =>
      this.#waiting.get(acceptedSocket(socket))?.reject(clientFault(error, socket)),
    );
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
   * @throws HandshakeError, or NoDataError if the client closes before it sends anything.
   */
  async accept(raw: Socket): Promise<TLSSocket> {
    const waiting = Promise.withResolvers<TLSSocket>();
    this.#waiting.set(raw, waiting);
    const receivedBytes = raw.bytesRead - raw.readableLength; // without those that were put back
    raw.allowHalfOpen = false; // a handshake cannot succeed once the client has ended its side
    try {
      this.#server.emit('connection', raw);
      return await waiting.promise;
    } catch (error) {
      if (raw.bytesRead === receivedBytes) throw new NoDataError();
      throw error instanceof HandshakeError ? error : tlsFault(error);
    } finally {
      this.#waiting.delete(raw);
    }
  }
}

/** The socket under `socket`, which Node passes to no event; addresses cannot identify it, as closed sockets lose them. */
function acceptedSocket(socket: TLSSocket): Socket {
  return (socket as { readonly _parent?: Socket })._parent ?? socket;
}

/** Node closes the connection of a client whose certificate is not valid, and leaves the reason on the socket. */
function clientFault(error: Error, socket: TLSSocket): Error {
  const reason = socket.authorizationError as unknown; // null, against its type, unless the certificate is not valid
  if (reason === null || reason === undefined) return error;
  const message = `TLS handshake failed: the client certificate is not valid: ${asError(reason).message}`;
  return new HandshakeError(message, { cause: error });
}

function contextOf({ cert, key, clientCa }: ServerMaterial): SecureContextOptions {
  return { cert, key, minVersion: 'TLSv1.2', ...(clientCa !== undefined && { ca: clientCa }) };
}

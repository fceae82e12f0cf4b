import { asError, errorCode, RealmError } from '../../lib/errors.ts';
import { ownValue } from '../../lib/record.ts';

/** A TLS or WebSocket handshake failed. The message gives the reason; `cause` may hold OpenSSL's error. */
export class HandshakeError extends RealmError {
  readonly code = 'REALM_HANDSHAKE_FAILED';
}

/** The client was refused by an answer with the reason, which it may read before its connection is closed. */
export class ClientRefusedError extends HandshakeError {}

const untrusted = 'the certificate is not signed by a trusted authority: add the authority to ca';

const reasons: Readonly<Record<string, string>> = {
  ERR_SSL_WRONG_VERSION_NUMBER: 'the peer does not speak TLS',
  ERR_SSL_HTTP_REQUEST: 'the peer speaks HTTP without TLS',
  ERR_SSL_UNSUPPORTED_PROTOCOL: 'the peer supports neither TLS 1.2 nor TLS 1.3',
  ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE: 'the client sent no certificate',
  ERR_SSL_NO_SHARED_CIPHER: 'no cipher in common with the peer',
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: 'the remote requires a client certificate: give cert and key',
  ERR_SSL_SSLV3_ALERT_CERTIFICATE_UNKNOWN: 'the peer does not trust the certificate',
  ERR_SSL_TLSV1_ALERT_UNKNOWN_CA: 'the peer does not trust the certificate',
  ERR_SSL_NO_APPLICATION_PROTOCOL: 'the peer offers no protocol of alpn',
  ECONNRESET: 'the peer closed the connection',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: untrusted,
  UNABLE_TO_GET_ISSUER_CERT: untrusted,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: untrusted,
  SELF_SIGNED_CERT_IN_CHAIN: untrusted,
  DEPTH_ZERO_SELF_SIGNED_CERT: untrusted,
};

/** The error of a failed TLS handshake, with what to check. */
export function tlsFault(error: unknown): HandshakeError {
  const cause = asError(error);
  const why = ownValue(reasons, errorCode(cause));
  return new HandshakeError(why === undefined ? failed : `${failed}: ${why}`, { cause });
}

const failed = 'TLS handshake failed';

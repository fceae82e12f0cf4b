import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto';
import { RealmError } from '../../lib/errors.ts';

/** A file does not hold the certificate or key that it should. */
class CertificateError extends RealmError {
  readonly code = 'REALM_CERTIFICATE_INVALID';
}

/** A file that was read. */
export type FileBytes = { readonly path: string; readonly bytes: Buffer };

/**
 * A certificate with its chain, and its key, in PEM for Node.js. Each file may be PEM or DER.
 *
 * @throws CertificateError that names the file
 */
export function keyPair(cert: FileBytes, key: FileBytes): { readonly cert: string; readonly key: string } {
  const chain = certificateChain(cert);
  const privateKey = readKey(key);
  if (!new X509Certificate(chain).checkPrivateKey(privateKey)) {
    throw new CertificateError(
      `${key.path}: does not match the certificate in ${cert.path}: give the key that does`,
    );
  }
  return { cert: chain, key: privateKey.export({ type: 'pkcs8', format: 'pem' }) };
}

/**
 * The certificates in a file, at least one, in PEM.
 *
 * @throws CertificateError
 */
export function certificateChain({ path, bytes }: FileBytes): string {
  const blocks = isPem(bytes) ? (bytes.toString().match(certificateBlocks) ?? []) : [bytes];
  try {
    if (blocks.length === 0) throw new Error('there is none');
    return blocks.map((block) => new X509Certificate(block).toString()).join('');
  } catch (cause) {
    throw new CertificateError(`${path}: holds no certificate: write one in PEM or DER`, { cause });
  }
}

const certificateBlocks = /-----BEGIN (TRUSTED )?CERTIFICATE-----[^-]*-----END (TRUSTED )?CERTIFICATE-----/g;

function isPem(bytes: Buffer): boolean {
  return bytes.includes('-----BEGIN ');
}

function readKey({ path, bytes }: FileBytes): KeyObject {
  const der = (type: 'pkcs8' | 'pkcs1' | 'sec1') => () =>
    createPrivateKey({ key: bytes, format: 'der', type });
  const ways = isPem(bytes) ? [() => createPrivateKey(bytes)] : [der('pkcs8'), der('pkcs1'), der('sec1')];
  let cause: unknown;
  for (const way of ways) {
    try {
      return way();
    } catch (error) {
      cause = error;
    }
  }
  throw new CertificateError(`${path}: holds no private key: write one in PEM or DER, without a passphrase`, {
    cause,
  });
}

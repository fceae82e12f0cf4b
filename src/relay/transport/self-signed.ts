import { createPrivateKey, generateKeyPairSync, randomBytes, sign } from 'node:crypto';

const dayMs = 86_400_000;
const validDays = 3650;

const tags = {
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  utf8String: 0x0c,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
  dnsName: 0x82, // [2] of GeneralName
  version: 0xa0, // [0] of TBSCertificate
  extensions: 0xa3, // [3]
};

// Object identifiers, encoded as DER.
const ecdsaWithSha256 = Buffer.from('2a8648ce3d040302', 'hex');
const commonName = Buffer.from('550403', 'hex');
const subjectAltName = Buffer.from('551d11', 'hex');

/** X.520: ub-common-name. */
const maxCommonNameLength = 64;

/**
 * A self-signed certificate for the DNS name `name`, and its key (ECDSA on P-256), in PEM. It is valid for ten years,
 * from the day before `now`.
 *
 * Source: RFC 5280, section 4.1. Node.js reads certificates and cannot write them.
 */
export function selfSigned(name: string, now: Date): { readonly cert: string; readonly key: string } {
  const { publicKey, privateKey } = generateKeyPairSync('ec', {
    namedCurve: 'prime256v1',
    publicKeyEncoding: { type: 'spki', format: 'der' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  const algorithm = sequence(der(tags.oid, ecdsaWithSha256));
  const issuer = distinguishedName(name);
  const validity = sequence(
    time(new Date(now.getTime() - dayMs)),
    time(new Date(now.getTime() + validDays * dayMs)),
  );
  const body = sequence(
    der(tags.version, der(tags.integer, Buffer.from([2]))), // version 3
    der(tags.integer, serialNumber()),
    algorithm,
    issuer,
    validity,
    issuer, // the subject
    publicKey,
    der(tags.extensions, sequence(alternativeName(name))),
  );
  const signature = sign('sha256', body, createPrivateKey(privateKey));
  const whole = sequence(body, algorithm, der(tags.bitString, Buffer.concat([Buffer.from([0]), signature])));
  return { cert: pem(whole), key: privateKey };
}

/** Positive, so its first byte is below 0x80. */
function serialNumber(): Buffer {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return bytes;
}

function distinguishedName(name: string): Buffer {
  const text = der(tags.utf8String, Buffer.from(name.slice(0, maxCommonNameLength)));
  return sequence(der(tags.set, sequence(der(tags.oid, commonName), text)));
}

function alternativeName(name: string): Buffer {
  const names = sequence(der(tags.dnsName, Buffer.from(name)));
  return sequence(der(tags.oid, subjectAltName), der(tags.octetString, names));
}

/** RFC 5280: UTCTime through 2049, GeneralizedTime from 2050 on. */
function time(date: Date): Buffer {
  const digits = date.toISOString().replace(/\.\d+|[-:T]/g, ''); // 20261125131500Z
  if (date.getUTCFullYear() < 2050) return der(tags.utcTime, Buffer.from(digits.slice(2)));
  return der(tags.generalizedTime, Buffer.from(digits));
}

function sequence(...parts: readonly Uint8Array[]): Buffer {
  return der(tags.sequence, Buffer.concat(parts));
}

/** Tag, length, value. */
function der(tag: number, value: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([tag]), length(value.length), value]);
}

function length(bytes: number): Buffer {
  if (bytes < 0x80) return Buffer.from([bytes]);
  if (bytes < 0x100) return Buffer.from([0x81, bytes]);
  return Buffer.from([0x82, bytes >> 8, bytes & 0xff]);
}

function pem(bytes: Buffer): string {
  const lines = bytes.toString('base64').replace(/.{1,64}/g, '$&\n');
  return `-----BEGIN CERTIFICATE-----\n${lines}-----END CERTIFICATE-----\n`;
}

import { hash } from 'node:crypto';
import type { Gateway } from './types.ts';

/** Maximum length of the name of a Gateway's objects: names derived from it must fit into a label of 63 characters. */
const maxNameLength = 50;
/** Of a name that does not fit, this many characters are kept before the hash. */
const keptLength = 40;
const maxLabelLength = 63;
const hashLength = 8;

/** RFC 1035 label, as API servers before Kubernetes 1.36 require it of the names of Services. */
const serviceName = /^[a-z](?:[-a-z0-9]*[a-z0-9])?$/;

/**
 * The name of the objects of `gateway`: `NAME-CLASS`, as GEP-1762 recommends. A name that is too long or cannot be the name of
 * a Service is cut, gets `-` for each dot and `gw-` before a digit, and ends in a hash that keeps it unique.
 */
export function relayName({ metadata: { name }, spec: { gatewayClassName } }: Gateway): string {
  const full = `${name}-${gatewayClassName}`;
  if (full.length <= maxNameLength && serviceName.test(full)) return full;
  const plain = full.replaceAll('.', '-');
  const stem = /^[a-z]/.test(plain) ? plain : `gw-${plain}`;
  return `${stem.slice(0, keptLength)}-${shortHash(full)}`;
}

/** `name` as the value of a label: cut and with a hash if it has more than 63 characters. */
export function labelValue(name: string): string {
  if (name.length <= maxLabelLength) return name;
  return `${name.slice(0, maxLabelLength - hashLength - 1)}-${shortHash(name)}`;
}

function shortHash(text: string): string {
  return hash('sha256', text).slice(0, hashLength);
}

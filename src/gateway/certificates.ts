import type { Finding } from '../api/dated-conditions.ts';
import { dnsSubdomainPattern } from '../lib/dns-name.ts';
import { isGranted } from './references.ts';
import { type CertificateRef, type Gateway, gatewayGroup, type Listener, type Lookup } from './types.ts';

/** The Secret with the certificate of a listener, in the namespace of its Gateway, or why there is none. */
export type Certificate = { readonly secretName: string } | Pick<Finding, 'reason' | 'message'>;

/** Whether TLS ends at `listener`, which is the default of the specification. */
export function isTerminating({ protocol, tls }: Listener): boolean {
  return protocol === 'TLS' && tls?.mode !== 'Passthrough';
}

/**
 * The certificate of `listener`, at which TLS ends. Whether the Secret exists, and what it holds, is for the Pods to find out:
 * they mount it, and the operator reads no Secrets. A reference that no ReferenceGrant permits reveals nothing about what exists
 * there. Pure.
 */
export function certificateOf(
  { tls }: Listener,
  { metadata: { namespace } }: Gateway,
  lookup: Lookup,
): Certificate {
  const [ref] = tls?.certificateRefs ?? [];
  if (ref === undefined)
    return invalid('tls.certificateRefs is empty: name a Secret with the certificate of the listener.');
  const problem = notASecret(ref);
  if (problem !== undefined) return invalid(problem);
  const { namespace: of = namespace, name } = ref;
  if (of === namespace) return { secretName: name };
  const from = { group: gatewayGroup, kind: 'Gateway', namespace };
  if (!isGranted(from, { group: '', kind: 'Secret', namespace: of, name }, lookup)) {
    const message = `No ReferenceGrant in namespace "${of}" lets a Gateway of namespace "${namespace}" refer to Secret "${name}".`;
    return { reason: 'RefNotPermitted', message };
  }
  return invalid(
    `Secret "${of}/${name}" is in another namespace, and Pods mount Secrets of their own namespace only: copy it to namespace "${namespace}", and refer to the copy.`,
  );
}

/** Why `ref` can be no Secret; its name becomes a part of paths. */
function notASecret({ group = '', kind = 'Secret', name }: CertificateRef): string | undefined {
  if (group !== '' || kind !== 'Secret') {
    const what = group === '' ? kind : `${kind}.${group}`;
    return `tls.certificateRefs: ${what} "${name}" is no certificate: use a Secret.`;
  }
  if (dnsSubdomainPattern.test(name)) return undefined;
  return `tls.certificateRefs: "${name}" is not the name of a Secret: correct it.`;
}

function invalid(message: string): Certificate {
  return { reason: 'InvalidCertificateRef', message };
}

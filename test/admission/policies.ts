import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { loadAll } from 'js-yaml';
import type { ControlPlane } from '../cluster/control-plane.ts';
import { eventually } from '../support/eventually.ts';

/** A ValidatingAdmissionPolicy or its binding. */
export type PolicyManifest = {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec: Readonly<Record<string, unknown>>;
};

type Policy = {
  readonly metadata: { readonly generation: number };
  readonly status?: {
    readonly observedGeneration?: number;
    readonly typeChecking?: { readonly expressionWarnings?: readonly object[] };
  };
};

const api = '/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies';

/** The policy and the binding of `config/admission/<file>`. */
export function policyManifests(file: string): PolicyManifest[] {
  const url = new URL(`../../config/admission/${file}`, import.meta.url);
  return loadAll(readFileSync(url, 'utf8')) as PolicyManifest[];
}

/**
 * Applies a policy and its binding for `namespace` alone, under the name of the namespace, because tests share the API
 * server.
 *
 * @param acts  checks whether the policy is in effect, which takes the API server a second or two.
 */
export async function applyPolicy(
  cluster: ControlPlane,
  namespace: string,
  manifests: readonly PolicyManifest[],
  acts: () => Promise<boolean>,
): Promise<void> {
  const namespaceSelector = { matchLabels: { 'kubernetes.io/metadata.name': namespace } };
  for (const { kind, spec, ...rest } of manifests) {
    const ofNamespace = { policyName: namespace, matchResources: { namespaceSelector } };
    const isPolicy = kind === 'ValidatingAdmissionPolicy';
    const own = {
      ...rest,
      kind,
      metadata: { name: namespace },
      spec: isPolicy ? spec : { ...spec, ...ofNamespace },
    };
    const { code, stderr } = await cluster.kubectl(['apply', '-f', '-'], JSON.stringify(own));
    expect({ code, stderr }).to.deep.equal({ code: 0, stderr: '' });
  }
  await eventually('the policy acts', acts);
}

/** The warnings of the controller manager's type checker about the expressions of the policy `name`. */
export async function typeWarnings(cluster: ControlPlane, name: string): Promise<readonly object[]> {
  const { status } = await eventually('the types are checked', async () => {
    const policy = (await cluster.request('GET', `${api}/${name}`)).json() as Policy;
    return policy.status?.observedGeneration === policy.metadata.generation && policy;
  });
  return status?.typeChecking?.expressionWarnings ?? [];
}

import { type Probe, refusedWith } from './dry-run.ts';
import type { Edge } from './edge.ts';

const policies = '/apis/admissionregistration.k8s.io/v1';

/** What its messages contain. */
export const refusal = 'ask the security team';

/** What a policy of someone else refuses. */
export type Refused = {
  readonly group: string;
  readonly version: string;
  /** With its subresource, if it is one: `realmrelays/status`. */
  readonly resource: string;
  readonly operations: readonly ('CREATE' | 'UPDATE' | 'DELETE')[];
};

/**
 * Refuses what `refused` states in the namespace of `edge`, once this resolves; the result takes that back.
 *
 * @param probe  a write that the policy refuses.
 */
export async function refuse(edge: Edge, refused: Refused, probe: Probe): Promise<() => Promise<void>> {
  const { group, version, resource, operations } = refused;
  const { controlPlane, namespace } = edge;
  const name = `${namespace}-${resource.replace('/', '-')}`;
  const rule = { apiGroups: [group], apiVersions: [version], resources: [resource], operations };
  const namespaceSelector = { matchLabels: { 'kubernetes.io/metadata.name': namespace } };
  await controlPlane.request('POST', `${policies}/validatingadmissionpolicies`, {
    metadata: { name },
    spec: {
      matchConstraints: { resourceRules: [rule], namespaceSelector },
      validations: [{ expression: 'false', message: refusal }],
    },
  });
  await controlPlane.request('POST', `${policies}/validatingadmissionpolicybindings`, {
    metadata: { name },
    spec: { policyName: name, validationActions: ['Deny'] },
  });
  await refusedWith(edge, probe, refusal);
  return async () => {
    await controlPlane.request('DELETE', `${policies}/validatingadmissionpolicybindings/${name}`);
    await controlPlane.request('DELETE', `${policies}/validatingadmissionpolicies/${name}`);
  };
}

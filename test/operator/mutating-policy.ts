import { eventually } from '../support/eventually.ts';
import type { Edge, Seen } from './edge.ts';

const policies = '/apis/admissionregistration.k8s.io/v1';

/**
 * Changes each Service of the namespace of `edge` when it is created, once this resolves; the result takes that back.
 *
 * @param change  a CEL expression of the fields to set, such as `Object{spec: Object.spec{type: "NodePort"}}`.
 * @param isChanged  whether a Service is as the policy makes it.
 */
export async function mutateServices(
  edge: Edge,
  change: string,
  isChanged: (service: Seen) => boolean,
): Promise<() => Promise<void>> {
  const { controlPlane, namespace } = edge;
  const name = `${namespace}-services`;
  const rule = { apiGroups: [''], apiVersions: ['v1'], resources: ['services'], operations: ['CREATE'] };
  const namespaceSelector = { matchLabels: { 'kubernetes.io/metadata.name': namespace } };
  const create = async (kind: string, spec: object): Promise<void> => {
    const { status, text } = await controlPlane.request('POST', `${policies}/${kind}`, {
      metadata: { name },
      spec,
    });
    if (status !== 201) throw new Error(`${kind}: ${String(status)} ${text}`);
  };
  await create('mutatingadmissionpolicies', {
    matchConstraints: { resourceRules: [rule], namespaceSelector },
    failurePolicy: 'Fail',
    reinvocationPolicy: 'Never',
    mutations: [{ patchType: 'ApplyConfiguration', applyConfiguration: { expression: change } }],
  });
  await create('mutatingadmissionpolicybindings', { policyName: name });
  const isActive = async (): Promise<boolean> => isChanged(await created(edge));
  await eventually('the policy changes Services', isActive);
  return async () => {
    await controlPlane.request('DELETE', `${policies}/mutatingadmissionpolicybindings/${name}`);
    await controlPlane.request('DELETE', `${policies}/mutatingadmissionpolicies/${name}`);
    await eventually('the policy is gone', async () => !(await isActive()));
  };
}

/** What a Service of type LoadBalancer becomes when it is created; it is not. */
function created(edge: Edge): Promise<Seen> {
  const spec = { type: 'LoadBalancer', loadBalancerClass: 'example.com/probe', ports: [{ port: 80 }] };
  const body = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'probe' }, spec };
  return edge.write('POST', 'services?dryRun=All', body, 'application/json');
}

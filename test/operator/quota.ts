import { creation, refusedWith } from './dry-run.ts';
import type { Edge } from './edge.ts';

const bodies = {
  pods: { metadata: { name: 'probe' }, spec: { containers: [{ name: 'none', image: 'none' }] } },
  services: { metadata: { name: 'probe' }, spec: { ports: [{ port: 1 }] } },
};

/** Makes the quota `tight`, which has no room for `resource`. Resolves with its path once the API server enforces it. */
export async function noRoomFor(edge: Edge, resource: keyof typeof bodies): Promise<string> {
  const path = `/api/v1/namespaces/${edge.namespace}/resourcequotas`;
  const hard = { [`count/${resource}`]: '0' };
  await edge.controlPlane.request('POST', path, { metadata: { name: 'tight' }, spec: { hard } });
  await refusedWith(edge, creation(resource, bodies[resource]), 'exceeded quota: tight');
  return `${path}/tight`;
}

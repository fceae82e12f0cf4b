import { expect } from 'chai';
import type { KubeObject } from '../../src/kube/object.ts';
import { serviceRules } from '../../src/operator/service-apply.ts';

function service(spec: unknown): KubeObject {
  const object = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'a', resourceVersion: '7' }, spec };
  return object;
}

describe('serviceRules', () => {
  const test = { op: 'test', path: '/metadata/resourceVersion', value: '7' };
  const ours = { port: 443, protocol: 'TCP' };

  const cases: { observed: unknown[]; patch: unknown; why: string }[] = [
    { observed: [{ port: 443 }], patch: undefined, why: 'only our port: nothing to remove' },
    { observed: [], patch: undefined, why: 'no port at all: applying adds ours' },
    {
      observed: [{ port: 1 }, ours, { port: 443, protocol: 'UDP' }],
      patch: [test, { op: 'remove', path: '/spec/ports/2' }, { op: 'remove', path: '/spec/ports/0' }],
      why: 'two foreign ports are removed from the end, so that positions stay valid',
    },
    {
      observed: [{ port: 1 }],
      patch: [test, { op: 'replace', path: '/spec/ports', value: [ours] }],
      why: 'only a foreign port: it is replaced, since a Service needs a port',
    },
  ];
  for (const { observed, patch, why } of cases) {
    it(why, () => {
      const removal = serviceRules.removal(service({ ports: [ours] }), service({ ports: observed }));
      expect(removal).to.deep.equal(patch);
    });
  }

  it('identifies a Service by what was wanted before the cluster chose its IP families', () => {
    const chosen = serviceRules.identity(service({ ports: [ours], ipFamilies: ['IPv6'] }));
    expect(JSON.stringify(chosen)).to.equal(JSON.stringify(service({ ports: [ours] })));
  });
});

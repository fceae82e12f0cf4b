import { expect } from 'chai';
import { type ManagedFields, type ManagedObject, otherManagers } from '../../src/kube/field-managers.ts';

const ours: ManagedFields = {
  manager: 'realm-operator',
  operation: 'Apply',
  time: '2026-01-02T03:04:05Z',
  fieldsV1: { 'f:spec': { 'f:replicas': {} } },
};
const scaler: ManagedFields = {
  manager: 'kube-controller-manager',
  operation: 'Update',
  subresource: 'scale',
  time: '2026-01-02T03:04:06Z',
  fieldsV1: { 'f:spec': { 'f:replicas': {} } },
};
const editor: ManagedFields = {
  manager: 'kubectl-edit',
  operation: 'Update',
  time: '2026-01-02T03:04:07Z',
  fieldsV1: {
    'f:spec': {
      'f:selector': {},
      'f:ports': {
        '.': {},
        'k:{"port":443,"protocol":"TCP"}': { '.': {}, 'f:port': {}, 'f:targetPort': {} },
      },
    },
    'f:metadata': { 'f:finalizers': { 'v:"example.com/hold"': {} } },
  },
};
const status: ManagedFields = { ...editor, manager: 'kubelet', subresource: 'status' };

describe('otherManagers', () => {
  const cases: { path: string[]; managers: string[]; why: string }[] = [
    { path: ['.spec', '.replicas'], managers: ['kube-controller-manager'], why: 'a field' },
    { path: ['.spec', '.ports', '[443/TCP]', '.targetPort'], managers: ['kubectl-edit'], why: 'in an entry' },
    {
      path: ['.spec', '.selector', '.tier'],
      managers: ['kubectl-edit'],
      why: 'within what is owned as a whole',
    },
    {
      path: ['.metadata', '.finalizers', '["example.com/hold"]'],
      managers: ['kubectl-edit'],
      why: 'by value',
    },
    {
      path: ['.spec', '.ports', '[80/TCP]'],
      managers: ['kubectl-edit'],
      why: 'a removed entry: who wrote last',
    },
    { path: ['.data', '.constructor'], managers: ['kubectl-edit'], why: 'a word that every object knows' },
  ];
  for (const { path, managers, why } of cases) {
    it(`${path.join('')}: ${why}`, () => {
      const object: ManagedObject = {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'a', managedFields: [ours, scaler, editor, status] },
      };
      const found = otherManagers(object, [path], ['realm-operator']);
      expect(found.map(({ manager }) => manager)).to.deep.equal(managers);
    });
  }

  it('names nobody if nobody else wrote the object', () => {
    const object: ManagedObject = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'a', managedFields: [ours, status] },
    };
    expect(otherManagers(object, [['.spec', '.replicas']], ['realm-operator'])).to.deep.equal([]);
    expect(otherManagers({ ...object, metadata: { name: 'a' } }, [['.spec']], [])).to.deep.equal([]);
  });
});

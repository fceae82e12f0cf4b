import { expect } from 'chai';
import { withManagedFieldsEmptied, withoutManagedFields } from '../../src/kube/managed-fields.ts';
import type { KubeObject } from '../../src/kube/object.ts';

type Managed = KubeObject & { readonly metadata: { readonly managedFields?: unknown } };

/** What the API server writes: keys of fields are JSON in JSON, and a manager's name may be anything. */
const managedFields = [
  { manager: 'a "quoted" ] name \\', operation: 'Apply', fieldsV1: { 'f:ports': { 'k:{"port":443}': {} } } },
  { manager: 'b', operation: 'Update', fieldsV1: { 'f:args': {}, 'v:"[x"': [] }, time: 'now' },
];

function configMap(more: object, data: object = {}): Managed {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a', ...more }, ...data };
}

describe('withManagedFieldsEmptied', () => {
  const last = { uid: 'u', managedFields };
  const cases: { object: Managed; why: string }[] = [
    { object: configMap(last), why: 'last in metadata, as of kinds that are built in' },
    { object: configMap({ managedFields, uid: 'u' }), why: 'before the name, as of custom resources' },
    { object: configMap(last, { data: { k: '"managedFields":[' } }), why: 'a value that looks like them' },
    { object: configMap({ managedFields: [] }), why: 'there are none' },
    { object: configMap({}), why: 'the field is not there' },
    { object: configMap({ annotations: { managedFields: 'x' } }), why: 'something else of that name' },
  ];
  for (const { object, why } of cases) {
    it(`leaves all the rest as it is: ${why}`, () => {
      const json = withManagedFieldsEmptied(JSON.stringify({ type: 'ADDED', object }));
      const { object: read } = JSON.parse(json) as { object: Managed };
      const { managedFields: left = [] } = read.metadata;
      expect(left).to.deep.equal([]);
      expect(withoutManagedFields(read)).to.deep.equal(withoutManagedFields(object));
    });
  }

  it('is shorter by all that is in them', () => {
    const json = JSON.stringify(configMap(last));
    expect(withManagedFieldsEmptied(json)).to.have.lengthOf(
      json.length - JSON.stringify(managedFields).length + 2,
    );
  });

  it('leaves a text that was cut for the parser to refuse', () => {
    const json = JSON.stringify(configMap({ managedFields }));
    for (const length of [60, 70, 80]) {
      const cut = json.slice(0, length);
      expect(withManagedFieldsEmptied(cut)).to.equal(cut);
    }
  });
});

import { expect } from 'chai';
import { textWithoutManagedFields, withoutManagedFields } from '../../src/kube/managed-fields.ts';
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

function cut(json: string): string {
  return textWithoutManagedFields(Buffer.from(json));
}

describe('textWithoutManagedFields', () => {
  const last = { uid: 'u', managedFields };
  const cases: { object: Managed; why: string }[] = [
    { object: configMap(last), why: 'last in metadata, as of kinds that are built in' },
    { object: configMap({ managedFields, uid: 'u' }), why: 'before the name, as of custom resources' },
    { object: configMap(last, { data: { k: '"managedFields":[' } }), why: 'a value that looks like them' },
    { object: configMap({ managedFields: [] }), why: 'there are none' },
    { object: configMap({}), why: 'the field is not there' },
    { object: configMap({ annotations: { managedFields: 'x' } }), why: 'something else of that name' },
    { object: configMap(last, { data: { k: 'ä€🙂' } }), why: 'there is more than ASCII' },
  ];
  for (const { object, why } of cases) {
    it(`leaves all the rest as it is: ${why}`, () => {
      const json = cut(JSON.stringify({ type: 'ADDED', object }));
      const rest = withoutManagedFields(structuredClone(object));
      expect(json).to.equal(JSON.stringify({ type: 'ADDED', object: rest }));
    });
  }

  it('takes away the only field that there is', () => {
    expect(cut('{"metadata":{"managedFields":[{"manager":"a"}]}}')).to.equal('{"metadata":{}}');
  });

  it('leaves a text that was cut for the parser to refuse', () => {
    const json = JSON.stringify(configMap({ managedFields }));
    for (const length of [60, 70, 80]) {
      const begin = json.slice(0, length);
      expect(cut(begin)).to.equal(begin);
    }
  });
});

import { expect } from 'chai';
import { SharedParts } from '../../src/kube/shared-parts.ts';

type Thing = { readonly name: string; readonly labels: object; readonly pod: { readonly probe: object } };

function thing(name: string, more: object = {}): Thing {
  const probe = { httpGet: { path: '/readyz', port: 'admin' }, periodSeconds: 2 };
  return { name, labels: { 'app.kubernetes.io/instance': name }, pod: { probe, ...more } };
}

describe('SharedParts', () => {
  it('leave an object equal to what it was', () => {
    const parts = new SharedParts();
    for (const name of ['a', 'b']) {
      const shared = thing(name, { list: [1, null, { deep: true }], empty: {} });
      const before = structuredClone(shared);
      parts.share(shared);
      expect(shared).to.deep.equal(before);
    }
  });

  it('are one for equal parts, at any depth, of objects that differ', () => {
    const parts = new SharedParts();
    const [a, b, c] = [thing('a'), thing('b'), thing('c', { other: 'x'.repeat(5_000) })];
    for (const object of [a, b, c]) parts.share(object);
    expect(b.pod, 'equal as a whole').to.equal(a.pod);
    expect(c.pod, 'larger, and another').not.to.equal(a.pod);
    expect(c.pod.probe).to.equal(a.pod.probe);
    expect(b.labels).not.to.equal(a.labels);
  });

  it('do not take a text for the object that it is the JSON of', () => {
    const parts = new SharedParts();
    const value = { a: 'a longer text' };
    const object = { value, text: JSON.stringify(value), again: { ...value } };
    parts.share(object);
    expect(object.text).to.equal('{"a":"a longer text"}');
    expect(object.again).to.equal(object.value);
  });

  it('do not grow without end, and share again what is common after that', () => {
    const parts = new SharedParts();
    for (let index = 0; index < 20_000; index += 1) parts.share(thing(`name-${String(index)}`));
    const [a, b] = [thing('a'), thing('b')];
    for (const object of [a, b]) parts.share(object);
    expect(b.pod).to.equal(a.pod);
  });
});

import { expect } from 'chai';
import { labelValue, relayName } from '../../src/gateway/names.ts';
import type { Gateway } from '../../src/gateway/types.ts';

function named(name: string, gatewayClassName = 'realm'): Gateway {
  return { metadata: { name, namespace: 'edge' }, spec: { gatewayClassName, listeners: [] } };
}

describe('the name of the objects of a Gateway', () => {
  it('is its name and that of its class', () => {
    expect(relayName(named('web'))).to.equal('web-realm');
  });

  const odd = [
    { why: 'long', name: 'a'.repeat(253), stem: 'a'.repeat(40) },
    { why: 'with dots', name: 'web.example.com', stem: 'web-example-com-realm' },
    { why: 'that begins with a digit', name: '1st', stem: 'gw-1st-realm' },
  ];
  for (const { why, name, stem } of odd)
    it(`fits a Service and a label, and has a hash, for a name ${why}`, () => {
      const found = relayName(named(name));
      expect(found).to.match(/^[a-z][-a-z0-9]{0,48}[a-z0-9]$/);
      expect(found.slice(0, stem.length + 1)).to.equal(`${stem}-`);
      expect(found).to.match(/-[0-9a-f]{8}$/);
    });

  it('differs for names that differ only in what is cut or replaced', () => {
    const names = ['a.b', 'a-b', `${'x'.repeat(60)}1`, `${'x'.repeat(60)}2`];
    expect(new Set(names.map((name) => relayName(named(name))))).to.have.property('size', names.length);
  });
});

describe('the name of a Gateway as a label', () => {
  it('is itself up to 63 characters', () => {
    expect(labelValue('a'.repeat(63))).to.equal('a'.repeat(63));
  });

  it('is cut and gets a hash above that', () => {
    const [one, other] = [labelValue(`${'a'.repeat(63)}b`), labelValue(`${'a'.repeat(63)}c`)];
    expect(one).to.match(/^a{54}-[0-9a-f]{8}$/);
    expect(one).to.not.equal(other);
  });
});

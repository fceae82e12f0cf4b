import { expect } from 'chai';
import { differences } from '../../src/kube/differences.ts';
import type { KubeObject } from '../../src/kube/object.ts';

function withSpec(spec: unknown): KubeObject {
  const object = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'a' }, spec };
  return object;
}

describe('differences', () => {
  const cases: { desired: unknown; observed: unknown; paths: string[]; why: string }[] = [
    {
      desired: { a: 1 },
      observed: { a: 1, b: 2 },
      paths: [],
      why: 'a field that we do not want is not ours to judge',
    },
    { desired: { a: 1 }, observed: { a: 2 }, paths: ['.spec.a'], why: 'another value' },
    { desired: { a: 1 }, observed: {}, paths: ['.spec.a'], why: 'a field that is missing' },
    { desired: { a: undefined }, observed: {}, paths: [], why: 'undefined is not sent' },
    {
      desired: { a: {} },
      observed: { a: { b: 1 } },
      paths: [],
      why: 'an empty map wants nothing in particular',
    },
    { desired: { a: {} }, observed: {}, paths: ['.spec.a'], why: 'but it wants to be there' },
    { desired: { a: '1' }, observed: { a: 1 }, paths: ['.spec.a'], why: 'text is no number' },
    {
      desired: { args: ['a', 'b'] },
      observed: { args: ['b', 'a'] },
      paths: ['.spec.args[0]', '.spec.args[1]'],
      why: 'a plain list has an order',
    },
    { desired: { args: ['a'] }, observed: { args: ['a', 'b'] }, paths: ['.spec.args'], why: 'and a length' },
    {
      desired: { containers: [{ name: 'relay', image: 'x' }] },
      observed: {
        containers: [{ name: 'sidecar' }, { name: 'relay', image: 'x', imagePullPolicy: 'Always' }],
      },
      paths: [],
      why: 'a list with keys is compared by them: foreign entries and defaults are left alone',
    },
    {
      desired: { containers: [{ name: 'relay', image: 'x' }] },
      observed: { containers: [{ name: 'relay', image: 'y' }] },
      paths: ['.spec.containers[relay].image'],
      why: 'what differs in an entry is found',
    },
    {
      desired: {
        ports: [
          { port: 53, protocol: 'UDP' },
          { port: 53, protocol: 'TCP' },
        ],
      },
      observed: { ports: [{ port: 53 }, { port: 53, protocol: 'UDP' }] },
      paths: ['.spec.ports[53/TCP].protocol'],
      why: 'ports go by number and protocol, which is TCP where there is none',
    },
    {
      desired: { ports: [{ containerPort: 9, protocol: 'TCP', name: 'a' }] },
      observed: { ports: [{ containerPort: 9, protocol: 'TCP', name: 'b' }] },
      paths: ['.spec.ports[9/TCP].name'],
      why: 'container ports too',
    },
    {
      desired: { env: [{ name: 'A', value: '1' }] },
      observed: { env: [] },
      paths: ['.spec.env[A]'],
      why: 'an entry that is missing',
    },
    { desired: { a: [1] }, observed: { a: { b: 1 } }, paths: ['.spec.a'], why: 'a list is no map' },
  ];
  for (const { desired, observed, paths, why } of cases) {
    it(`${JSON.stringify(desired)}: ${why}`, () => {
      expect(differences(withSpec(desired), withSpec(observed)).map(({ path }) => path)).to.deep.equal(paths);
    });
  }
});

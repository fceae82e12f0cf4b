import { expect } from 'chai';
import { attachment } from '../../src/gateway/attachment.ts';
import { judgedListeners } from '../../src/gateway/listeners.ts';
import type { Listener, ParentRef, RouteKind } from '../../src/gateway/types.ts';
import { gateway, listener, lookupIn, route, type World } from './world.ts';

type Case = {
  readonly why: string;
  readonly listeners?: readonly Listener[];
  readonly parentRef?: Partial<ParentRef>;
  readonly kind?: RouteKind;
  readonly namespace?: string;
  readonly namespaces?: World['namespaces'];
  readonly reason?: string;
  readonly attached: readonly string[];
};

const both = [listener('a', 80), listener('b', 81), listener('u', 53, 'UDP')];
const from = (from: string, selector?: object): Partial<Listener> => ({
  allowedRoutes: { namespaces: { from, ...(selector && { selector }) } },
});
const selecting = (selector: object): readonly Listener[] => [
  listener('a', 80, 'TCP', from('Selector', selector)),
];
const labelled = { team: { env: 'prod', tier: 'db' } };
const expressions = (key: string, operator: string, values?: string[]): object => ({
  matchExpressions: [{ key, operator, ...(values && { values }) }],
});

const cases: Case[] = [
  { why: 'all listeners of its protocol', attached: ['a', 'b'] },
  { why: 'those of the other protocol', kind: 'UDPRoute', attached: ['u'] },
  { why: 'the one that it names', parentRef: { sectionName: 'b' }, attached: ['b'] },
  { why: 'the one on its port', parentRef: { port: 80 }, attached: ['a'] },
  { why: 'name and port that fit', parentRef: { sectionName: 'a', port: 80 }, attached: ['a'] },
  {
    why: 'name and port of different listeners',
    parentRef: { sectionName: 'a', port: 81 },
    reason: 'NoMatchingParent',
    attached: [],
  },
  { why: 'a name of none', parentRef: { sectionName: 'c' }, reason: 'NoMatchingParent', attached: [] },
  { why: 'a port of none', parentRef: { port: 82 }, reason: 'NoMatchingParent', attached: [] },
  {
    why: 'a listener of the other protocol',
    parentRef: { sectionName: 'u' },
    reason: 'NotAllowedByListeners',
    attached: [],
  },
  {
    why: 'a listener that takes another kind alone',
    listeners: [listener('a', 80, 'TCP', { allowedRoutes: { kinds: [{ kind: 'HTTPRoute' }] } })],
    reason: 'NotAllowedByListeners',
    attached: [],
  },
  {
    why: 'a listener that conflicts, which still counts its routes',
    listeners: [listener('a', 80), listener('b', 80, 'TLS')],
    attached: ['a', 'b'],
  },
  { why: 'another namespace, by default', namespace: 'team', reason: 'NotAllowedByListeners', attached: [] },
  { why: 'All', listeners: [listener('a', 80, 'TCP', from('All'))], namespace: 'team', attached: ['a'] },
  {
    why: 'None',
    listeners: [listener('a', 80, 'TCP', from('None'))],
    reason: 'NotAllowedByListeners',
    attached: [],
  },
  {
    why: 'only some listeners take its namespace',
    listeners: [listener('a', 80), listener('b', 81, 'TCP', from('All'))],
    namespace: 'team',
    attached: ['b'],
  },
  ...[
    { selector: {}, fits: true },
    { selector: { matchLabels: { env: 'prod' } }, fits: true },
    { selector: { matchLabels: { env: 'prod', tier: 'web' } }, fits: false },
    { selector: { matchLabels: { constructor: 'x' } }, fits: false },
    { selector: expressions('env', 'In', ['dev', 'prod']), fits: true },
    { selector: expressions('env', 'In', ['dev']), fits: false },
    { selector: expressions('env', 'NotIn', ['dev']), fits: true },
    { selector: expressions('zone', 'NotIn', ['dev']), fits: true },
    { selector: expressions('env', 'NotIn', ['prod']), fits: false },
    { selector: expressions('tier', 'Exists'), fits: true },
    { selector: expressions('zone', 'Exists'), fits: false },
    { selector: expressions('zone', 'DoesNotExist'), fits: true },
    { selector: expressions('tier', 'DoesNotExist'), fits: false },
    { selector: expressions('env', 'Near', ['prod']), fits: false },
  ].map(({ selector, fits }) => ({
    why: `selector ${JSON.stringify(selector)}`,
    listeners: selecting(selector),
    namespace: 'team',
    namespaces: labelled,
    ...(fits ? { attached: ['a'] } : { reason: 'NotAllowedByListeners', attached: [] }),
  })),
  {
    why: 'a selector, and a namespace that is not known',
    listeners: selecting({}),
    namespace: 'team',
    reason: 'NotAllowedByListeners',
    attached: [],
  },
];

describe('a route', () => {
  for (const { why, listeners = both, parentRef, kind = 'TCPRoute', namespace = 'edge', ...rest } of cases) {
    const { namespaces = {}, reason = 'Accepted', attached } = rest;
    it(`is attached to [${attached.join()}]: ${why}`, () => {
      const owner = gateway(listeners);
      const found = attachment(
        route([], { kind, namespace }),
        { name: 'web', namespace: 'edge', ...parentRef },
        { gateway: owner, listeners: judgedListeners(owner, lookupIn({})) },
        lookupIn({ namespaces }),
      );
      expect(found.accepted.reason).to.equal(reason);
      expect(found.listeners.map(({ spec }) => spec.name)).to.deep.equal(attached);
      expect(found.accepted.message).to.not.equal('');
    });
  }

  it('is refused with the right that is missing if namespaces cannot be read', () => {
    const owner = gateway(selecting({}));
    const { accepted } = attachment(
      route([], { namespace: 'team' }),
      { name: 'web', namespace: 'edge' },
      { gateway: owner, listeners: judgedListeners(owner, lookupIn({})) },
      lookupIn({}),
    );
    expect(accepted.message).to.include('grant its account list and watch of namespaces');
  });
});

import { expect } from 'chai';
import { judgedListeners } from '../../src/gateway/listeners.ts';
import type { Listener, TrafficPolicy } from '../../src/gateway/types.ts';
import { gateway, listener, lookupIn, policy, target } from './world.ts';

type Case = {
  readonly why: string;
  readonly listeners: readonly Listener[];
  readonly policies?: readonly TrafficPolicy[];
  /** Of each listener: reasons of Accepted, Conflicted and ResolvedRefs, the kinds, and whether it is served. */
  readonly judged: readonly string[];
};

const fine = 'Accepted NoConflicts ResolvedRefs';
const kinds = (...names: string[]): Partial<Listener> => ({
  allowedRoutes: { kinds: names.map((kind) => ({ kind })) },
});

const beside: Readonly<Record<string, string>> = {
  TCP: 'Accepted ProtocolConflict ResolvedRefs [TCPRoute]',
  TLS: 'Accepted ProtocolConflict InvalidCertificateRef [TCPRoute,TLSRoute]',
};

const cases: Case[] = [
  { why: 'TCP', listeners: [listener('a', 80)], judged: [`${fine} [TCPRoute] served`] },
  { why: 'UDP', listeners: [listener('a', 53, 'UDP')], judged: [`${fine} [UDPRoute] served`] },
  {
    why: 'TCP and UDP on one port need two sockets',
    listeners: [listener('a', 53), listener('b', 53, 'UDP')],
    judged: [`${fine} [TCPRoute] served`, `${fine} [UDPRoute] served`],
  },
  ...['HTTP', 'HTTPS', 'example.com/own', 'constructor'].map((protocol) => ({
    why: `${protocol}, beside a TCP listener that is served`,
    listeners: [listener('a', 80, protocol), listener('b', 81)],
    judged: ['UnsupportedProtocol NoConflicts ResolvedRefs []', `${fine} [TCPRoute] served`],
  })),
  ...['TCP', 'TLS', 'HTTP', 'HTTPS'].map((protocol) => ({
    why: `the port of a listener of protocol ${protocol}: both conflict, since neither has precedence`,
    listeners: [listener('a', 80), listener('b', 80, protocol), listener('c', 81)],
    judged: [
      'Accepted ProtocolConflict ResolvedRefs [TCPRoute]',
      beside[protocol] ?? 'UnsupportedProtocol ProtocolConflict ResolvedRefs []',
      `${fine} [TCPRoute] served`,
    ],
  })),
  ...['TCP', 'UDP'].map((protocol) => ({
    why: `the port of the admin server, ${protocol}`,
    listeners: [listener('a', 9465, protocol)],
    judged: [`PortUnavailable NoConflicts ResolvedRefs [${protocol}Route]`],
  })),
  {
    why: 'its own kind, named',
    listeners: [listener('a', 80, 'TCP', kinds('TCPRoute'))],
    judged: [`${fine} [TCPRoute] served`],
  },
  {
    why: 'another kind beside its own',
    listeners: [listener('a', 80, 'TCP', kinds('HTTPRoute', 'TCPRoute'))],
    judged: ['Accepted NoConflicts InvalidRouteKinds [TCPRoute] served'],
  },
  {
    why: 'another kind alone',
    listeners: [listener('a', 80, 'TCP', kinds('UDPRoute'))],
    judged: ['Accepted NoConflicts InvalidRouteKinds [] served'],
  },
  {
    why: 'its kind in another group',
    listeners: [
      listener('a', 80, 'TCP', { allowedRoutes: { kinds: [{ group: 'example.com', kind: 'TCPRoute' }] } }),
    ],
    judged: ['Accepted NoConflicts InvalidRouteKinds [] served'],
  },
  {
    why: 'a range that holds the port of another listener: both conflict',
    listeners: [listener('a', 80), listener('b', 85), listener('c', 90)],
    policies: [range('a', 89)],
    judged: [
      'Accepted ProtocolConflict ResolvedRefs [TCPRoute]',
      'Accepted ProtocolConflict ResolvedRefs [TCPRoute]',
      `${fine} [TCPRoute] served`,
    ],
  },
  {
    why: 'two ranges that overlap',
    listeners: [listener('a', 80), listener('b', 85)],
    policies: [range('a', 85), range('b', 89)],
    judged: Array<string>(2).fill('Accepted ProtocolConflict ResolvedRefs [TCPRoute]'),
  },
  {
    why: 'a range that ends before the next port, and the same range over UDP',
    listeners: [listener('a', 80), listener('b', 90), listener('c', 85, 'UDP')],
    policies: [range('a', 89), range('c', 95)],
    judged: [`${fine} [TCPRoute] served`, `${fine} [TCPRoute] served`, `${fine} [UDPRoute] served`],
  },
];

function range(name: string, endPort: number): TrafficPolicy {
  return policy(name, { targetRefs: [target('Gateway', 'web', name)], endPort });
}

describe('listeners of a Gateway', () => {
  for (const { why, listeners, policies = [], judged } of cases) {
    it(`are judged: ${why}`, () => {
      const found = judgedListeners(gateway(listeners), lookupIn({ policies })).map(
        ({ accepted, conflicted, resolvedRefs, kinds, isValid }) =>
          [
            accepted.reason,
            conflicted.reason,
            resolvedRefs.reason,
            `[${kinds.join()}]`,
            ...(isValid ? ['served'] : []),
          ].join(' '),
      );
      expect(found).to.deep.equal(judged);
    });
  }

  it('say what is wrong and what to do', () => {
    const [http, admin, a] = judgedListeners(
      gateway([
        listener('http', 80, 'HTTP'),
        listener('admin', 9465),
        listener('a', 443, 'TCP', kinds('HTTPRoute')),
        listener('b', 443, 'TLS'),
      ]),
      lookupIn({}),
    );
    expect(http?.accepted.message).to.equal('Protocol "HTTP" is not supported: use TCP, TLS or UDP.');
    expect(admin?.accepted.message).to.equal(
      "Port 9465 is the port of the relay's own admin server: choose another port.",
    );
    expect(a?.conflicted.message).to.equal(
      'Port 443 over TCP is also the port of listener "b": give each a port of its own.',
    );
    expect(a?.resolvedRefs.message).to.equal(
      'allowedRoutes.kinds: HTTPRoute cannot be attached to this listener: use TCPRoute.',
    );
  });

  it('name the other listener of ranges that overlap', () => {
    const [a, b] = judgedListeners(
      gateway([listener('a', 80), listener('b', 85)]),
      lookupIn({ policies: [range('a', 89)] }),
    );
    expect(a?.conflicted.message).to.equal(
      'Port 80-89 over TCP overlaps with the ports of listener "b": give each ports of its own, or change endPort of its policy.',
    );
    expect(b?.conflicted.message).to.match(/^Port 85 over TCP overlaps with the ports of listener "a"/);
  });
});

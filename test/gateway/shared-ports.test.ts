import { expect } from 'chai';
import { realmDocument } from '../../src/desired/config-map.ts';
import { gatewayPolicies } from '../../src/gateway/policies.ts';
import { routeParents } from '../../src/gateway/route-status.ts';
import type { Listener, Route, TrafficPolicy } from '../../src/gateway/types.ts';
import {
  backend,
  decide,
  gateway,
  listener,
  lookupIn,
  policy,
  route,
  slice,
  target,
  type World,
} from './world.ts';

function tls(name: string, port = 443): Listener {
  return listener(name, port, 'TLS', { hostname: `${name}.example`, tls: { mode: 'Passthrough' } });
}

/** A policy of these listeners, or of the whole Gateway. */
function of(sections: readonly string[], fields: object, name = sections.join('') || 'all'): TrafficPolicy {
  const targets =
    sections.length === 0
      ? [target('Gateway', 'web')]
      : sections.map((each) => target('Gateway', 'web', each));
  return policy(name, { targetRefs: targets, ...fields });
}

const ipv6Only = { network: { ipv6Only: true } };
const proxied = (...trustedSources: readonly string[]) => ({
  network: { acceptProxy: { enabled: true, ...(trustedSources.length > 0 && { trustedSources }) } },
});
const differs = (field: string, a: string, b: string, ports = '443'): string =>
  `Invalid: spec.network.${field}: differs between listeners "${a}" and "${b}", which share port ${ports}: set it to the same for both, or give each listener a port of its own`;

describe('policies of TLS listeners of one port', () => {
  const cases: readonly {
    why: string;
    listeners?: readonly Listener[];
    policies: readonly TrafficPolicy[];
    /** Of each target, in the order of the policies. */
    reported: readonly string[];
    /** Where ipv6Only is in effect. */
    closed?: readonly string[];
  }[] = [
    {
      why: 'one sets ipv6Only, the other does not',
      policies: [of(['a'], ipv6Only)],
      reported: [differs('ipv6Only', 'a', 'b')],
    },
    {
      why: 'one policy sets it for both',
      policies: [of(['a', 'b'], ipv6Only)],
      reported: ['Accepted', 'Accepted'],
      closed: ['a', 'b'],
    },
    {
      why: 'each has a policy, alike',
      policies: [of(['a'], ipv6Only), of(['b'], ipv6Only)],
      reported: ['Accepted', 'Accepted'],
      closed: ['a', 'b'],
    },
    {
      why: 'one leaves what its Gateway sets',
      policies: [of([], ipv6Only), of(['a'], { network: { ipv6Only: false } })],
      reported: [differs('ipv6Only', 'a', 'b'), 'Accepted'],
      closed: ['a', 'b'],
    },
    {
      why: 'PROXY headers of one',
      policies: [of(['b'], proxied())],
      reported: [differs('acceptProxy', 'b', 'a')],
    },
    {
      why: 'PROXY headers from different senders',
      policies: [of(['a'], proxied('10.0.0.0/8')), of(['b'], proxied('fd00::/8'))],
      reported: [differs('acceptProxy', 'a', 'b'), differs('acceptProxy', 'b', 'a')],
    },
    {
      why: 'another setting may differ',
      policies: [of(['a'], { network: { maxConnections: 1 } })],
      reported: ['Accepted'],
    },
    {
      why: 'other ports, and another protocol',
      listeners: [tls('a'), tls('b', 444), listener('c', 443, 'UDP')],
      policies: [of(['a'], ipv6Only)],
      reported: ['Accepted'],
      closed: ['a'],
    },
    {
      why: 'ranges that overlap, and agree again once one of them is shorter',
      listeners: [tls('a', 440), tls('b', 443), tls('c', 446)],
      policies: [of(['a'], { ...ipv6Only, endPort: 446 }), of(['c'], ipv6Only)],
      reported: [differs('ipv6Only', 'a', 'b'), 'Accepted'],
      closed: ['c'],
    },
  ];
  for (const { why, listeners = [tls('a'), tls('b')], policies, reported, closed = [] } of cases)
    it(`are judged together: ${why}`, () => {
      const { verdicts, ofListener } = gatewayPolicies(gateway(listeners), lookupIn({ policies }));
      expect(
        verdicts.map(({ accepted: { reason, message } }) =>
          reason === 'Accepted' ? reason : `${reason}: ${message}`,
        ),
      ).to.deep.equal(reported);
      const names = listeners.map(({ name }) => name);
      expect(names.filter((name) => ofListener(name).network?.ipv6Only === true)).to.deep.equal(closed);
    });

  it('keep allowedSources of one that is not accepted', () => {
    const policies = [of(['a'], { network: { ipv6Only: true, allowedSources: ['::1'] } })];
    const { ofListener } = gatewayPolicies(gateway([tls('a'), tls('b')]), lookupIn({ policies }));
    expect(ofListener('a')).to.deep.equal({ network: { allowedSources: ['::1'] } });
  });
});

describe('a port range, and endpoints without room for it', () => {
  const high = (port: number): World => ({
    services: [backend('pg', []).service],
    slices: [slice('pg', [{ addresses: ['10.0.0.1'] }], { port })],
    policies: [of(['db'], { endPort: 5441 })],
  });
  const pg: Route = route([{ name: 'pg', port: 80 }], { name: 'pg' });
  const web = gateway([listener('db', 5432)]);

  const seen = (world: World) => {
    const surroundings = { gateway: () => web, routesOf: () => [pg] };
    const [entry] = routeParents(pg, surroundings, lookupIn(world), 'now');
    return entry?.conditions.find(({ type }) => type === 'ResolvedRefs');
  };

  it('is reported on the route', () => {
    expect(seen(high(65_527))).to.deep.include({
      status: 'False',
      reason: 'UnsupportedValue',
      message:
        'Listener "db" has 10 ports, for which endpoints of Service "edge/pg" at port 65527 have no room below 65536, so they get no clients: lower the ports of the endpoints, or endPort of the policy.',
    });
    expect(decide(web, [pg], high(65_527)).relay?.endpoints).to.deep.equal([]);
  });

  it('ends at the highest port there is without a report', () => {
    expect(seen(high(65_526))?.status).to.equal('True');
    const { relay } = decide(web, [pg], high(65_526));
    const remotes = relay === undefined ? [] : realmDocument(relay).endpoints.map(({ remote }) => remote);
    expect(remotes.at(-1)).to.equal('10.0.0.1:65535');
  });

  it('comes after what else is wrong with the references', () => {
    const both = route(
      [
        { name: 'pg', port: 80 },
        { name: 'none', port: 80 },
      ],
      { name: 'pg' },
    );
    const surroundings = { gateway: () => web, routesOf: () => [both] };
    const [entry] = routeParents(both, surroundings, lookupIn(high(65_527)), 'now');
    const resolved = entry?.conditions.find(({ type }) => type === 'ResolvedRefs');
    expect(resolved?.reason).to.equal('BackendNotFound');
    expect(resolved?.message).to.contain('"edge/none" does not exist').and.to.contain('at port 65527');
  });
});

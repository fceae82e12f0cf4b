import { expect } from 'chai';
import type { RealmRelaySpec } from '../../src/api/schema/realm-relay.ts';
import { immutableFields, type ObservedService, service } from '../../src/desired/service.ts';
import { pathText } from '../../src/lib/problem.ts';
import { endpoint, relay } from '../support/realm-relays.ts';

type ServiceSpec = NonNullable<RealmRelaySpec['service']>;

function live(choice: Pick<ObservedService, 'type' | 'loadBalancerClass'>): ObservedService {
  return { ipFamilyPolicy: 'PreferDualStack', ipFamilies: ['IPv4', 'IPv6'], ...choice };
}

function balanced(choice: ServiceSpec = {}): ReturnType<typeof relay> {
  return relay([endpoint()], { service: { type: 'LoadBalancer', ...choice } });
}

describe('service', () => {
  it('leaves out fields that the API server rejects for its type', () => {
    const chosen: ServiceSpec = {
      externalTrafficPolicy: 'Local',
      loadBalancerClass: 'a',
      loadBalancerSourceRanges: ['10.0.0.0/8'],
      nodePorts: { https: 30_001 },
    };
    const spec = (type: ServiceSpec['type']): object =>
      service(relay([endpoint()], { service: { ...chosen, type } }), undefined).spec ?? {};
    const port = { name: 'tcp-443', port: 443, protocol: 'TCP', targetPort: 443 };
    const selector = service(relay(), undefined).spec?.selector;
    const always = { selector, ipFamilyPolicy: 'PreferDualStack' };
    expect(spec('ClusterIP')).to.deep.equal({ ...always, type: 'ClusterIP', ports: [port] });
    expect(spec('NodePort')).to.deep.equal({
      ...always,
      type: 'NodePort',
      externalTrafficPolicy: 'Local',
      ports: [{ ...port, nodePort: 30_001 }],
    });
  });

  it('numbers the node ports of a range from the first one', () => {
    const range = endpoint({ port: 8000, endPort: 8002, network: { udp: true } });
    const chosen = { type: 'NodePort', nodePorts: { https: 30_001 } } as const;
    const { spec } = service(relay([range], { service: chosen }), undefined);
    expect(spec?.ports?.map(({ name, nodePort }) => [name, nodePort])).to.deep.equal([
      ['tcp-8000', 30_001],
      ['udp-8000', 30_001],
      ['tcp-8001', 30_002],
      ['udp-8001', 30_002],
      ['tcp-8002', 30_003],
      ['udp-8002', 30_003],
    ]);
  });

  it('gives a shared Service port the node port of the endpoint that sets one', () => {
    const shared = [
      endpoint({ name: 'v6', address: '::', network: { ipv6Only: true } }),
      endpoint({ name: 'v4', address: '0.0.0.0' }),
    ];
    const { spec } = service(
      relay(shared, { service: { type: 'NodePort', nodePorts: { v4: 30_001 } } }),
      undefined,
    );
    expect(spec?.ports?.map(({ port, nodePort }) => [port, nodePort])).to.deep.equal([[443, 30_001]]);
  });

  it('keeps the class of a live load balancer, which cannot change', () => {
    const wanted = balanced({ loadBalancerClass: 'b' });
    const of = (observed?: ObservedService): string | undefined =>
      service(wanted, observed).spec?.loadBalancerClass;
    expect(of()).to.equal('b');
    expect(of(live({ type: 'NodePort' }))).to.equal('b');
    expect(of(live({ type: 'LoadBalancer', loadBalancerClass: 'a' }))).to.equal('a');
    expect(of(live({ type: 'LoadBalancer' }))).to.equal(undefined);
  });
});

describe('immutableFields', () => {
  const cases: { wanted: ServiceSpec; observed: ObservedService; fields: string[]; why: string }[] = [
    {
      wanted: { loadBalancerClass: 'b' },
      observed: live({ type: 'LoadBalancer', loadBalancerClass: 'a' }),
      fields: ['spec.service.loadBalancerClass'],
      why: 'another class',
    },
    {
      wanted: { loadBalancerClass: 'b' },
      observed: live({ type: 'LoadBalancer' }),
      fields: ['spec.service.loadBalancerClass'],
      why: 'a class if there was none',
    },
    {
      wanted: { loadBalancerClass: 'a' },
      observed: live({ type: 'LoadBalancer', loadBalancerClass: 'a' }),
      fields: [],
      why: 'the same',
    },
    {
      wanted: { loadBalancerClass: 'a' },
      observed: live({ type: 'NodePort' }),
      fields: [],
      why: 'a new type',
    },
    {
      wanted: {},
      observed: live({ type: 'LoadBalancer', loadBalancerClass: 'theirs' }),
      fields: [],
      why: 'a webhook of the cloud may have set it',
    },
    {
      wanted: { loadBalancerClass: 'b', ipFamilies: ['IPv6', 'IPv4'] },
      observed: live({ type: 'LoadBalancer' }),
      fields: ['spec.service.ipFamilies', 'spec.service.loadBalancerClass'],
      why: 'both at once',
    },
  ];
  for (const { wanted, observed, fields, why } of cases) {
    it(why, () => {
      expect(immutableFields(balanced(wanted), observed).map(({ path }) => pathText(path))).to.deep.equal(
        fields,
      );
    });
  }
});

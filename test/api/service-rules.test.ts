import { expect } from 'chai';
import { parseRealmRelay } from '../../src/api/parse.ts';
import type { RealmRelaySpec } from '../../src/api/schema/realm-relay.ts';
import { problemText } from '../../src/lib/problem.ts';
import { endpoint, realmRelay } from '../support/realm-relays.ts';

type ServiceSpec = NonNullable<RealmRelaySpec['service']>;

const endpoints = [
  endpoint({ name: 'v6', address: '::', network: { ipv6Only: true, udp: true } }),
  endpoint({ name: 'v4', address: '0.0.0.0', network: { udp: true } }),
  endpoint({ name: 'other', port: 8443 }),
];

function read(service: ServiceSpec): { problems: string[]; warnings: string[] } {
  const { problems, warnings } = parseRealmRelay(realmRelay(endpoints, { service }));
  return { problems: problems.map(problemText), warnings: warnings.map(problemText) };
}

describe('rules of the Service', () => {
  const problems: { service: ServiceSpec; told: string[]; why: string }[] = [
    {
      service: { nodePorts: { v6: 30_001, v4: 30_001, other: 30_002 } },
      told: [],
      why: 'one node port for one Service port',
    },
    { service: { nodePorts: { v4: 30_001 } }, told: [], why: 'one of the two names it' },
    {
      service: { nodePorts: { v6: 30_001, v4: 30_002 } },
      told: [
        'spec.service.nodePorts.v4: shares Service port 443 (TCP) with endpoint "v6", for which nodePorts says 30001, got 30002: name one node port for both, or name it once',
      ],
      why: 'two node ports for one Service port',
    },
    {
      service: { nodePorts: { v6: 30_001, other: 30_001 } },
      told: [
        'spec.service.nodePorts.other: is the node port of endpoint "v6", too, got 30001: choose another node port',
      ],
      why: 'one node port for two Service ports',
    },
    {
      service: { nodePorts: { v5: 30_001 } },
      told: ['spec.service.nodePorts.v5: names no endpoint: did you mean "v6"?'],
      why: 'no such endpoint',
    },
    {
      service: { labels: { 'a b': '1', team: 'ops/edge' }, annotations: { 'a/b/c': 'x' } },
      told: [
        'spec.service.labels.a b: is no valid key: use a key such as team or example.com/team',
        'spec.service.labels.team: is no value of a label, got "ops/edge": use at most 63 letters, digits, "-", "_" and ".", first and last a letter or digit',
        'spec.service.annotations.a/b/c: is no valid key: use a key such as team or example.com/team',
      ],
      why: 'what the API server would not take',
    },
    {
      service: { labels: { 'example.com/Team_1.x': '', a: '1.2-3_B' }, annotations: { 'x.y/z': '' } },
      told: [],
      why: 'what it takes',
    },
  ];
  for (const { service, told, why } of problems) {
    it(`${JSON.stringify(service)}: ${why}`, () => {
      expect(read(service).problems).to.deep.equal(told);
    });
  }

  it('warns of what has no effect with the type of the Service', () => {
    const service: ServiceSpec = {
      externalTrafficPolicy: 'Local',
      loadBalancerClass: 'example.com/lb',
      loadBalancerSourceRanges: ['10.0.0.0/8'],
      nodePorts: { v6: 30_001 },
    };
    const fields = (type: 'ClusterIP' | 'NodePort' | 'LoadBalancer'): (string | undefined)[] =>
      read({ ...service, type }).warnings.map(
        (text) => /^spec\.service\.(\w+): has no effect/.exec(text)?.[1],
      );
    expect(fields('LoadBalancer')).to.deep.equal([]);
    expect(fields('NodePort')).to.deep.equal(['loadBalancerClass', 'loadBalancerSourceRanges']);
    expect(fields('ClusterIP')).to.deep.equal([
      'externalTrafficPolicy',
      'nodePorts',
      'loadBalancerClass',
      'loadBalancerSourceRanges',
    ]);
  });

  it('reports that labels of the operator cannot be chosen', () => {
    expect(read({ labels: { 'app.kubernetes.io/instance': 'x' } }).warnings).to.deep.equal([
      'spec.service.labels.app.kubernetes.io/instance: has no effect: the operator sets this label itself, since objects and Pods are found by it, got "x": remove it, or use a key of your own',
    ]);
  });
});

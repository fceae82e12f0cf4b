import { expect } from 'chai';
import type { RealmRelaySpec } from '../../src/api/schema/realm-relay.ts';
import {
  immutableFamilies,
  serviceFamilies,
  type ClusterStack,
  type ObservedFamilies,
} from '../../src/desired/service-families.ts';
import { endpoint, relay } from '../support/realm-relays.ts';

const v4 = endpoint({ name: 'v4', address: '0.0.0.0' });
const v6 = endpoint({ name: 'v6', address: '::', network: { ipv6Only: true } });
const dual = endpoint({ name: 'dual', address: '::' });

const single = (family: 'IPv4' | 'IPv6'): ObservedFamilies => ({
  ipFamilyPolicy: 'SingleStack',
  ipFamilies: [family],
});
const preferred = (...ipFamilies: ('IPv4' | 'IPv6')[]): ObservedFamilies => ({
  ipFamilyPolicy: 'PreferDualStack',
  ipFamilies,
});

describe('serviceFamilies', () => {
  const cases: {
    endpoints: ReturnType<typeof endpoint>[];
    service?: RealmRelaySpec['service'];
    observed?: ObservedFamilies;
    stack?: ClusterStack;
    wanted: object;
    why: string;
  }[] = [
    { endpoints: [v4], wanted: single('IPv4'), why: 'IPv4 endpoints alone' },
    { endpoints: [v6], wanted: single('IPv6'), why: 'ipv6Only endpoints alone' },
    {
      endpoints: [dual],
      wanted: { ipFamilyPolicy: 'PreferDualStack' },
      why: 'both: the cluster chooses the order',
    },
    { endpoints: [v4, v6], wanted: { ipFamilyPolicy: 'PreferDualStack' }, why: 'both by two endpoints' },
    {
      endpoints: [dual],
      service: { ipFamilies: ['IPv6'] },
      wanted: single('IPv6'),
      why: "the user's choice wins",
    },
    {
      endpoints: [dual],
      service: { ipFamilies: ['IPv6'], ipFamilyPolicy: 'PreferDualStack' },
      wanted: preferred('IPv6'),
      why: 'a new Service that prefers both gets the second one from the cluster, if that has it',
    },
    {
      endpoints: [dual],
      service: { ipFamilies: ['IPv6'], ipFamilyPolicy: 'PreferDualStack' },
      observed: preferred('IPv6', 'IPv4'),
      wanted: preferred('IPv6', 'IPv4'),
      why: 'and keeps it, although the user names one',
    },
    {
      endpoints: [dual],
      service: { ipFamilies: ['IPv6'], ipFamilyPolicy: 'PreferDualStack' },
      observed: preferred('IPv6'),
      wanted: preferred('IPv6'),
      why: 'one that the user names and the cluster has is enough',
    },
    {
      endpoints: [dual],
      service: { ipFamilies: ['IPv6'], ipFamilyPolicy: 'PreferDualStack' },
      observed: preferred('IPv6'),
      stack: 'dual',
      wanted: preferred('IPv6', 'IPv4'),
      why: 'and gets the other one once the cluster has it',
    },
    {
      endpoints: [dual],
      observed: preferred('IPv6', 'IPv4'),
      wanted: preferred('IPv6', 'IPv4'),
      why: 'the live order is kept',
    },
    {
      endpoints: [dual],
      observed: single('IPv6'),
      stack: 'dual',
      wanted: preferred('IPv6', 'IPv4'),
      why: 'the other family is added',
    },
    {
      endpoints: [dual],
      observed: preferred('IPv4'),
      stack: 'dual',
      wanted: preferred('IPv4', 'IPv6'),
      why: 'the other family is added once the cluster has it',
    },
    ...[preferred('IPv4'), single('IPv4')].map((observed) => ({
      endpoints: [dual],
      observed,
      wanted: { ipFamilyPolicy: 'PreferDualStack' },
      why: `two families are not requested from a cluster that has one: ${observed.ipFamilyPolicy}`,
    })),
    {
      endpoints: [dual],
      service: { ipFamilyPolicy: 'RequireDualStack' },
      observed: single('IPv4'),
      wanted: { ipFamilyPolicy: 'RequireDualStack', ipFamilies: ['IPv4', 'IPv6'] },
      why: 'unless the user requires both',
    },
    {
      endpoints: [v4],
      observed: preferred('IPv4', 'IPv6'),
      wanted: single('IPv4'),
      why: 'the secondary family may be removed',
    },
    {
      endpoints: [v6],
      observed: single('IPv4'),
      wanted: single('IPv4'),
      why: 'the primary of a live Service stays, since it cannot change',
    },
    {
      endpoints: [dual],
      service: { ipFamilyPolicy: 'SingleStack' },
      observed: preferred('IPv6', 'IPv4'),
      wanted: { ipFamilyPolicy: 'SingleStack', ipFamilies: ['IPv6'] },
      why: 'of two families, the live primary is kept',
    },
  ];
  for (const { endpoints, service, observed, stack, wanted, why } of cases) {
    it(why, () => {
      expect(
        serviceFamilies(relay(endpoints, service === undefined ? {} : { service }), observed, stack),
      ).to.deep.equal(wanted);
    });
  }
});

describe('immutableFamilies', () => {
  it('names the field, the wanted family, the live family, and the remedy', () => {
    const problem = immutableFamilies(relay([v6]), single('IPv4'));
    expect(problem?.path.join('.')).to.equal('spec.service.ipFamilies');
    expect(problem?.what).to.contain('IPv6').and.to.contain('now IPv4');
    expect(problem?.remedy).to.contain('recreatePolicy: WhenNeeded');
  });

  it('is silent if the live Service can follow', () => {
    expect(immutableFamilies(relay([dual]), single('IPv6'))).to.equal(undefined);
    expect(immutableFamilies(relay([v4]), preferred('IPv4', 'IPv6'))).to.equal(undefined);
  });
});

import type { V1Service } from '@kubernetes/client-node';
import { expect } from 'chai';
import type { Rollout } from '../../src/operator/rollout.ts';
import { serviceAddresses, withAddress } from '../../src/operator/service-status.ts';

type Ingress = NonNullable<NonNullable<NonNullable<V1Service['status']>['loadBalancer']>['ingress']>;

function service(spec: V1Service['spec'] & object, ingress: Ingress = []): V1Service {
  return { metadata: { name: 'web' }, spec, status: { loadBalancer: { ingress } } };
}

const balanced = { type: 'LoadBalancer', clusterIPs: ['10.0.0.1'] };
const ready: Rollout = { state: 'ready', reason: 'PodsReady', message: 'All Pods are ready.' };

describe('serviceAddresses', () => {
  const cases: { service: V1Service; addresses: object[]; summary?: string; why: string }[] = [
    {
      service: service({ clusterIPs: ['fd00::1', '10.0.0.1'] }),
      addresses: [
        { family: 'IPv4', address: '10.0.0.1' },
        { family: 'IPv6', address: 'fd00::1' },
      ],
      summary: '10.0.0.1,fd00::1',
      why: 'IPv4 comes first',
    },
    { service: service({ clusterIPs: ['None'] }), addresses: [], why: 'a headless Service has none' },
    {
      service: service(balanced, [{ hostname: 'lb.example' }, { ip: '192.0.2.1' }]),
      addresses: [{ family: 'IPv4', address: '192.0.2.1' }, { address: 'lb.example' }],
      summary: '192.0.2.1,lb.example',
      why: 'clients reach the load balancer, at its address or by its name',
    },
    {
      service: service(balanced, [{ hostname: 'lb.example', ip: '2001:db8::1' }]),
      addresses: [{ family: 'IPv6', address: '2001:db8::1' }, { address: 'lb.example' }],
      summary: '2001:db8::1,lb.example',
      why: 'an entry may have both',
    },
    {
      service: service(balanced, [
        {
          ip: '192.0.2.1',
          ports: [
            { port: 443, protocol: 'TCP' },
            { port: 53, protocol: 'UDP', error: 'PortInUse' },
            { port: 0, protocol: 'TCP' },
            { port: 80, protocol: 'SCTP' },
          ],
        },
      ]),
      addresses: [
        {
          family: 'IPv4',
          address: '192.0.2.1',
          ports: [
            { port: 443, protocol: 'TCP' },
            { port: 53, protocol: 'UDP', error: 'PortInUse' },
          ],
        },
      ],
      summary: '192.0.2.1',
      why: 'ports are shown as the load balancer reports them, unless they cannot be ours',
    },
    { service: service(balanced), addresses: [], summary: '<pending>', why: 'the address is pending' },
    { service: service(balanced, [{}]), addresses: [], summary: '<pending>', why: 'an empty entry is none' },
  ];
  for (const { service, addresses, summary, why } of cases) {
    it(why, () => {
      const made = serviceAddresses(service);
      expect(made.addresses ?? []).to.deep.equal(addresses);
      expect(made.addressSummary).to.equal(summary);
    });
  }

  it('has no more addresses than the status may have', () => {
    const ingress = Array.from({ length: 70 }, (_, index) => ({ ip: `192.0.2.${String(index + 100)}` }));
    const { addresses, addressSummary } = serviceAddresses(service(balanced, ingress));
    expect(addresses).to.have.lengthOf(64);
    expect(addressSummary).to.equal('192.0.2.100,192.0.2.101,192.0.2.102,+61');
  });
});

describe('withAddress', () => {
  it('is as before for a Service that has its address, one that needs none, and none at all', () => {
    const named = service(balanced, [{ hostname: 'lb.example' }]);
    for (const each of [named, service({ type: 'NodePort' }), undefined])
      expect(withAddress(ready, each)).to.equal(ready);
  });

  it('leaves what keeps the Pods from being ready as the reason', () => {
    const rollout: Rollout = { state: 'failed', reason: 'PodsRefused', message: 'quota' };
    expect(withAddress(rollout, service(balanced))).to.equal(rollout);
  });

  it('is not ready while the address is pending, and names who would assign it', () => {
    const { state, reason, message } = withAddress(
      ready,
      service({ ...balanced, loadBalancerClass: 'example.com/a' }),
    );
    expect({ state, reason }).to.deep.equal({ state: 'progressing', reason: 'AddressPending' });
    expect(message).to.contain('a load balancer of class "example.com/a"').and.contain('NodePort');
  });
});

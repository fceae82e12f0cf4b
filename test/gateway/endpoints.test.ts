import { expect } from 'chai';
import { endpointAddresses } from '../../src/gateway/endpoints.ts';
import type { EndpointSlice, SliceEndpoint } from '../../src/gateway/types.ts';
import { backend, slice } from './world.ts';

type Case = {
  readonly why: string;
  readonly families?: readonly string[];
  readonly slices: readonly EndpointSlice[];
  readonly found: readonly string[];
};

const at = (address: string, more: Partial<SliceEndpoint> = {}): SliceEndpoint => ({
  addresses: [address],
  ...more,
});
const pod = (address: string, uid: string): SliceEndpoint => at(address, { targetRef: { uid } });
const down = { conditions: { ready: false, serving: false, terminating: true } };
const draining = { conditions: { ready: false, serving: true, terminating: true } };
const ipv6 = { addressType: 'IPv6' };

const cases: Case[] = [
  { why: 'no slice', slices: [], found: [] },
  { why: 'no endpoints', slices: [{ ...slice('db', []), endpoints: null }], found: [] },
  { why: 'no ports', slices: [{ ...slice('db', [at('192.0.2.1')]), ports: null }], found: [] },
  {
    why: 'several slices, sorted, so that their order makes no difference',
    slices: [slice('db', [at('192.0.2.3'), at('192.0.2.1')]), slice('db', [at('192.0.2.2')])],
    found: ['192.0.2.1', '192.0.2.2', '192.0.2.3'],
  },
  {
    why: 'one endpoint in two slices',
    slices: [slice('db', [at('192.0.2.1')]), slice('db', [at('192.0.2.1')])],
    found: ['192.0.2.1'],
  },
  {
    why: 'absent conditions',
    slices: [slice('db', [at('192.0.2.1', { conditions: {} })])],
    found: ['192.0.2.1'],
  },
  { why: 'not ready', slices: [slice('db', [at('192.0.2.1'), at('192.0.2.2', down)])], found: ['192.0.2.1'] },
  {
    why: 'one that terminates beside a ready one',
    slices: [slice('db', [at('192.0.2.1'), at('192.0.2.2', draining)])],
    found: ['192.0.2.1'],
  },
  {
    why: 'none ready, and one that still serves',
    slices: [slice('db', [at('192.0.2.1', down), at('192.0.2.2', draining)])],
    found: ['192.0.2.2'],
  },
  { why: 'none that serves', slices: [slice('db', [at('192.0.2.1', down)])], found: [] },
  {
    why: 'not ready yet, and not terminating',
    slices: [slice('db', [at('192.0.2.1', { conditions: { ready: false, serving: true } })])],
    found: [],
  },
  {
    why: 'a port of another name',
    slices: [slice('db', [at('192.0.2.1')], { portName: 'other' })],
    found: [],
  },
  {
    why: 'a port of the other protocol',
    slices: [slice('db', [at('192.0.2.1')], { protocol: 'UDP' })],
    found: [],
  },
  { why: 'host names', slices: [slice('db', [at('db.example')], { addressType: 'FQDN' })], found: [] },
  {
    why: 'a Pod of both families counts once, by the first of its Service',
    families: ['IPv6', 'IPv4'],
    slices: [slice('db', [pod('192.0.2.1', 'a')]), slice('db', [pod('2001:db8::1', 'a')], ipv6)],
    found: ['2001:db8::1'],
  },
  {
    why: 'a Pod of the other family alone',
    slices: [
      slice('db', [pod('192.0.2.1', 'a')]),
      slice('db', [pod('2001:db8::1', 'a'), pod('2001:db8::2', 'b')], ipv6),
    ],
    found: ['192.0.2.1', '2001:db8::2'],
  },
  {
    why: 'endpoints made by hand in both families: the first counts',
    slices: [slice('db', [at('192.0.2.1')]), slice('db', [at('2001:db8::1')], ipv6)],
    found: ['192.0.2.1'],
  },
  {
    why: 'endpoints made by hand in the other family alone',
    slices: [slice('db', [at('2001:db8::1')], ipv6)],
    found: ['2001:db8::1'],
  },
];

describe('endpoints of a Service', () => {
  for (const { why, families = ['IPv4'], slices, found } of cases)
    it(`are [${found.join()}]: ${why}`, () => {
      const { service } = backend('db', []);
      const port = service.spec.ports?.[0] ?? { port: 0 };
      const addresses = endpointAddresses(
        { ...service, spec: { ...service.spec, ipFamilies: families } },
        port,
        slices,
      );
      expect(addresses).to.deep.equal(found.map((address) => ({ address, port: 8080 })));
    });

  it('are found for a port without a name', () => {
    const service = { ...backend('db', []).service, spec: { ports: [{ port: 80 }] } };
    const unnamed = { ...slice('db', [at('192.0.2.1')]), ports: [{ port: 5432 }] };
    expect(endpointAddresses(service, { port: 80 }, [unnamed])).to.deep.equal([
      { address: '192.0.2.1', port: 5432 },
    ]);
  });
});

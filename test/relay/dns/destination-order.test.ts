import { expect } from 'chai';
import { inDestinationOrder, parsePolicies } from '../../../src/relay/dns/destination-order.ts';

/** RFC 6724, section 10.2 has most of these cases. */
const cases = [
  {
    why: 'IPv6 before IPv4',
    sources: { '192.0.2.1': '192.0.2.9', '2001:db8::1': '2001:db8::9' },
    expected: ['2001:db8::1', '192.0.2.1'],
  },
  {
    why: 'addresses without a route last',
    sources: { '2001:db8::1': undefined, '192.0.2.1': '192.0.2.9' },
    expected: ['192.0.2.1', '2001:db8::1'],
  },
  {
    why: 'matching scopes first',
    sources: { '2001:db8::1': 'fe80::9', '192.0.2.1': '192.0.2.9' },
    expected: ['192.0.2.1', '2001:db8::1'],
  },
  {
    why: 'matching labels first',
    sources: { '2002:c000:201::1': '2001:db8::9', '192.0.2.1': '192.0.2.9' },
    expected: ['192.0.2.1', '2002:c000:201::1'],
  },
  {
    why: 'unique local addresses before IPv4, as glibc',
    sources: { '192.0.2.1': '192.0.2.9', 'fd00::1': 'fd00::9' },
    expected: ['fd00::1', '192.0.2.1'],
  },
  {
    why: 'the smaller scope first',
    sources: { '2001:db8::1': '2001:db8::9', 'fe80::1': 'fe80::9' },
    expected: ['fe80::1', '2001:db8::1'],
  },
  {
    why: 'loopback by scope as other addresses',
    sources: { '127.0.0.1': '127.0.0.1', '::1': '::1' },
    expected: ['::1', '127.0.0.1'],
  },
  {
    why: 'equal ones as they came',
    sources: { '192.0.2.3': '192.0.2.9', '192.0.2.1': '192.0.2.9', '192.0.2.2': '192.0.2.9' },
    expected: ['192.0.2.3', '192.0.2.1', '192.0.2.2'],
  },
  {
    why: 'IPv4 first if gai.conf states so',
    gaiConf: '# comment\nprecedence ::ffff:0:0/96  100\n',
    sources: { '2001:db8::1': '2001:db8::9', '192.0.2.1': '192.0.2.9' },
    expected: ['192.0.2.1', '2001:db8::1'],
  },
] as const;

describe('order of the addresses of a name', () => {
  for (const { why, sources, expected, ...rest } of cases) {
    it(`puts ${why}`, async () => {
      const known = new Map<string, string | undefined>(Object.entries(sources));
      const policies = parsePolicies('gaiConf' in rest ? rest.gaiConf : '');
      const ordered = await inDestinationOrder([...known.keys()], policies, (address) =>
        Promise.resolve(known.get(address)),
      );
      expect(ordered).to.deep.equal(expected);
    });
  }

  it('asks the kernel whether there is a route', async () => {
    expect(await inDestinationOrder(['ff0e::1%none', '127.0.0.1'], parsePolicies(''))).to.deep.equal([
      '127.0.0.1',
      'ff0e::1%none',
    ]);
  });
});

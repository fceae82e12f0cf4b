import { expect } from 'chai';
import { portConflicts, prediction, type BindAddress } from '../../src/api/port-conflicts.ts';
import { endpoint, ipAddress, relay } from '../support/realm-relays.ts';

/** `:: on` is the address `::` with ipv6Only on. */
function bound(text: string): BindAddress {
  const [address = '', mode] = text.split(' ');
  return { address: ipAddress(address), ipv6Only: mode === 'on' };
}

describe('prediction', () => {
  const conflicting = [
    [':: off', '0.0.0.0', 'a dual-stack wildcard occupies the IPv4 port, too'],
    [':: off', ':: on', 'both occupy every IPv6 address'],
    [':: off', '127.0.0.1', 'a wildcard occupies each address of its families'],
    [':: on', '::1', 'a wildcard occupies each address of its families'],
    ['0.0.0.0', '::ffff:127.0.0.1', 'a mapped address is the IPv4 address in it'],
    ['::ffff:0.0.0.0', '127.0.0.2', 'the mapped IPv4 wildcard is a wildcard'],
    ['::1 on', '0:0:0:0:0:0:0:1', 'spelling and ipv6Only do not matter for one address'],
    ['fe80::1%a', '::', 'a zone is part of the IPv6 wildcard'],
  ] as const;
  const fitting = [
    [':: on', '0.0.0.0', 'ipv6Only leaves IPv4 to others'],
    [':: on', '::ffff:127.0.0.1', 'ipv6Only leaves IPv4 to others, mapped or not'],
    ['127.0.0.1', '127.0.0.2', 'two addresses'],
    ['::1', '127.0.0.1', 'two families'],
    ['fe80::1%a', 'fe80::1%b', 'two zones'],
  ] as const;

  for (const [first, second, why] of conflicting) {
    it(`${first} and ${second} conflict: ${why}`, () => {
      expect(prediction(bound(first), bound(second))).to.equal('conflicts');
      expect(prediction(bound(second), bound(first))).to.equal('conflicts');
    });
  }
  for (const [first, second, why] of fitting) {
    it(`${first} and ${second} fit: ${why}`, () => {
      expect(prediction(bound(first), bound(second))).to.equal('fits');
      expect(prediction(bound(second), bound(first))).to.equal('fits');
    });
  }
  it('an IPv4-mapped address with ipv6Only cannot be bound', () => {
    expect(prediction(bound('::ffff:127.0.0.1 on'), bound('::1'))).to.equal('cannot bind');
  });
});

describe('portConflicts, names of TLS clients', () => {
  const named = (...hosts: string[]) => ({ sni: { hosts } });
  const others = { sni: {} };
  const acceptProxy = { network: { acceptProxy: { enabled: true } } };
  const onIpv6 = { address: '::', network: { ipv6Only: true } };
  const share = 'set sni on both, so that they share it, or choose another port';
  const cases = [
    { why: 'different names share a port', first: named('a.example'), second: named('b.example') },
    { why: 'a name and the wildcard above it', first: named('a.b.example'), second: named('*.b.example') },
    { why: 'names and all others', first: named('a.example'), second: others },
    {
      why: 'another spelling of the address',
      first: { ...others, address: '::' },
      second: { ...named('a'), address: '0:0::' },
    },
    {
      why: 'both with a PROXY header',
      first: { ...others, ...acceptProxy },
      second: { ...named('a'), ...acceptProxy },
    },
    {
      why: 'each for its own family',
      first: { ...others, ...onIpv6 },
      second: { ...others, address: '0.0.0.0' },
    },
    {
      why: 'the same name',
      first: named('a.example', 'b.example'),
      second: named('c.example', 'b.example'),
      remedy: 'both serve "b.example": remove it from sni.hosts of one of them',
    },
    {
      why: 'all others, twice',
      first: others,
      second: others,
      remedy: 'set sni.hosts on one of them: without it, an endpoint serves every other name',
    },
    { why: 'an endpoint without sni', first: named('a.example'), second: {}, remedy: share },
    {
      why: 'a PROXY header at one of them',
      first: named('a.example'),
      second: { ...others, ...acceptProxy },
      remedy: 'set acceptProxy.enabled to the same on both: the header precedes the name',
    },
    {
      why: 'another address',
      first: { ...named('a.example'), address: '::' },
      second: { ...others, address: '::1' },
      remedy:
        'listen on the same address, for the same families, so that they share it by sni, or choose another port',
    },
    {
      why: 'other families',
      first: { ...named('a.example'), address: '::' },
      second: { ...others, ...onIpv6 },
      remedy:
        'listen on the same address, for the same families, so that they share it by sni, or choose another port',
    },
    {
      why: 'an endpoint without sni on another address',
      first: { ...named('a.example'), address: '::' },
      second: { address: '0.0.0.0' },
      remedy: 'set ipv6Only: true on "first", or choose another port',
    },
  ];
  for (const { why, first, second, remedy } of cases)
    it(`${remedy === undefined ? 'fit' : 'conflict'}: ${why}`, () => {
      const both = [endpoint({ name: 'first', ...first }), endpoint({ name: 'second', ...second })];
      for (const endpoints of [both, both.toReversed()])
        expect(portConflicts(relay(endpoints).endpoints).map((each) => each.remedy)).to.deep.equal(
          remedy === undefined ? [] : [remedy],
        );
    });
});

describe('portConflicts', () => {
  const v6 = endpoint({ name: 'v6', address: '::' });
  const v4 = endpoint({ name: 'v4', address: '0.0.0.0' });

  it('names both endpoints, the addresses of each, and ipv6Only as the remedy if it helps', () => {
    expect(portConflicts(relay([v6, v4]).endpoints).map(({ message }) => message)).to.deep.equal([
      'endpoints "v4" (0.0.0.0:443 for IPv4) and "v6" ([::]:443 for IPv4 and IPv6) cannot share TCP port 443: ' +
        'set ipv6Only: true on "v6", or choose another port',
    ]);
  });

  it('does not advise ipv6Only if it does not help', () => {
    const twice = relay([v6, endpoint({ name: 'loopback', address: '::1' })]);
    const [conflict] = portConflicts(twice.endpoints);
    expect(conflict?.remedy).to.equal('choose another port or address for one of them');
  });

  const cases = [
    {
      second: { network: { tcp: false, udp: true } },
      protocols: undefined,
      why: 'TCP and UDP do not conflict',
    },
    { second: { port: 444 }, protocols: undefined, why: 'different ports do not conflict' },
    { second: { network: { udp: true } }, protocols: ['TCP'], why: 'only the shared protocol is named' },
    {
      first: { network: { udp: true } },
      second: { network: { udp: true } },
      protocols: ['TCP', 'UDP'],
      why: 'both protocols are shared',
    },
  ];
  for (const { first, second, protocols, why } of cases) {
    it(why, () => {
      const both = [
        endpoint({ name: 'a', address: '::', ...first }),
        endpoint({ name: 'b', address: '0.0.0.0', ...second }),
      ];
      expect(portConflicts(relay(both).endpoints)[0]?.protocols).to.deep.equal(protocols);
    });
  }

  const ranges = [
    {
      second: { port: 7999, endPort: 8000 },
      ports: 'TCP port 8000',
      why: 'the last port of one is the first',
    },
    { second: { port: 8005, endPort: 8020 }, ports: 'TCP ports 8005-8009', why: 'ranges overlap' },
    { second: { port: 8003 }, ports: 'TCP port 8003', why: 'a range contains the port' },
    { second: { port: 7000, endPort: 7255 }, ports: undefined, why: 'ranges are apart' },
    { second: { port: 8010 }, ports: undefined, why: 'a range ends before the port' },
  ];
  for (const { second, ports, why } of ranges) {
    it(`${why}: ${ports ?? 'no conflict'}`, () => {
      const both = [
        endpoint({ name: 'a', address: '::1', port: 8000, endPort: 8009 }),
        endpoint({ name: 'b', address: '::1', ...second }),
      ];
      const [conflict] = portConflicts(relay(both).endpoints);
      const shared = conflict && /cannot share (.*?):/.exec(conflict.message)?.[1];
      expect(shared).to.equal(ports);
      if (conflict !== undefined) expect(conflict.what).to.contain('"a" ([::1]:8000-8009 for IPv6)');
    });
  }

  it('finds each pair once, in the order of names', () => {
    const three = ['c', 'a', 'b'].map((name) => endpoint({ name, address: '::1' }));
    expect(portConflicts(relay(three).endpoints).map(({ endpoints }) => endpoints.join())).to.deep.equal([
      'a,b',
      'a,c',
      'b,c',
    ]);
  });
});

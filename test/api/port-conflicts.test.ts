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
    [':: off', '0.0.0.0', 'a dual-stack wildcard takes the IPv4 port, too'],
    [':: off', ':: on', 'both take every IPv6 address'],
    [':: off', '127.0.0.1', 'a wildcard takes each address of its families'],
    [':: on', '::1', 'a wildcard takes each address of its families'],
    ['0.0.0.0', '::ffff:127.0.0.1', 'a mapped address is the IPv4 address it holds'],
    ['::ffff:0.0.0.0', '127.0.0.2', 'the mapped IPv4 wildcard is one'],
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

describe('portConflicts', () => {
  const v6 = endpoint({ name: 'v6', address: '::' });
  const v4 = endpoint({ name: 'v4', address: '0.0.0.0' });

  it('names both endpoints, what each takes, and ipv6Only as the remedy if it helps', () => {
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
    { second: { network: { tcp: false, udp: true } }, protocols: undefined, why: 'TCP and UDP do not meet' },
    { second: { port: 444 }, protocols: undefined, why: 'two ports do not meet' },
    { second: { network: { udp: true } }, protocols: ['TCP'], why: 'only the shared protocol is named' },
    {
      first: { network: { udp: true } },
      second: { network: { udp: true } },
      protocols: ['TCP', 'UDP'],
      why: 'both',
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
    { second: { port: 8005, endPort: 8020 }, ports: 'TCP ports 8005-8009', why: 'ranges meet in part' },
    { second: { port: 8003 }, ports: 'TCP port 8003', why: 'a range holds the one port' },
    { second: { port: 7000, endPort: 7255 }, ports: undefined, why: 'ranges lie apart' },
    { second: { port: 8010 }, ports: undefined, why: 'a range ends before the one port' },
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

import { expect } from 'chai';
import { ConfigError } from '../../src/config/config-error.ts';
import { listenConflicts } from '../../src/config/listen-conflicts.ts';
import { relayConfig, type ParsedConfig } from '../../src/config/parsed-config.ts';
import { matchingName } from '../../src/lib/server-name.ts';
import { problemText } from '../../src/lib/problem.ts';

const endpoint = { listen: '[::]:443', remote: '192.0.2.1:8443' };

function parse(...endpoints: readonly object[]): ParsedConfig {
  return relayConfig({ endpoints: endpoints.map((each) => ({ ...endpoint, ...each })) }, 'test');
}

function problems(...endpoints: readonly object[]): string {
  try {
    parse(...endpoints);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map(problemText).join();
    throw error;
  }
  return '';
}

describe('relay config, sni', () => {
  const written = [
    {
      sni: { hosts: ['a.example', '*.b.example'] },
      hosts: ['a.example', '*.b.example'],
      why: 'names and wildcards',
    },
    {
      sni: { hosts: ['A.Example.', 'a.example'] },
      hosts: ['a.example'],
      why: 'other spellings of a name, once',
    },
    { sni: {}, hosts: [], why: 'an empty table, for every other name' },
    { sni: { hosts: ['localhost'] }, hosts: ['localhost'], why: 'a name of one label' },
    { sni: { hosts: ['_a._tcp.b-c.example'] }, hosts: ['_a._tcp.b-c.example'], why: 'underscores' },
  ];
  for (const { sni, hosts, why } of written)
    it(`reads ${why}`, () => {
      const { config, warnings } = parse({ sni });
      expect(config.endpoints.map((each) => each.sni)).to.deep.equal([{ hosts }]);
      expect(warnings).to.deep.equal([]);
    });

  const noName = (at: number, name: string): string =>
    `endpoints[0].sni.hosts[${String(at)}]: is no name that clients of TLS can ask for, got "${name}": use a lower-case host name`;
  const wrong = [
    {
      why: 'a table without a list',
      fields: { sni: { hosts: 'a.example' } },
      problem: 'endpoints[0].sni.hosts: has the wrong type',
    },
    { why: 'no table', fields: { sni: ['a.example'] }, problem: 'endpoints[0].sni: has the wrong type' },
    {
      why: 'an empty list',
      fields: { sni: { hosts: [] } },
      problem: 'endpoints[0].sni.hosts: is empty: list a name, or remove it',
    },
    {
      why: 'an address',
      fields: { sni: { hosts: ['a.example', '192.0.2.1'] } },
      problem: noName(1, '192.0.2.1'),
    },
    {
      why: 'an IPv6 address',
      fields: { sni: { hosts: ['2001:db8::1'] } },
      problem: noName(0, '2001:db8::1'),
    },
    { why: 'a wildcard alone', fields: { sni: { hosts: ['*'] } }, problem: noName(0, '*') },
    {
      why: 'a wildcard within a name',
      fields: { sni: { hosts: ['a.*.example'] } },
      problem: noName(0, 'a.*.example'),
    },
    {
      why: 'a name with its port',
      fields: { sni: { hosts: ['a.example:443'] } },
      problem: noName(0, 'a.example:443'),
    },
    { why: 'an empty name', fields: { sni: { hosts: [''] } }, problem: noName(0, '') },
    {
      why: 'UDP beside it',
      fields: { sni: {}, network: { use_udp: true } },
      problem:
        'endpoints[0].sni: is for TLS over TCP, and the endpoint relays UDP, too: set no_tcp and use_udp to false',
    },
    {
      why: 'a plain WebSocket of its clients',
      fields: { sni: {}, listen_transport: 'ws;host=a;path=/' },
      problem:
        'endpoints[0].sni: is for clients of TLS, and listen_transport has no tls: add tls to listen_transport',
    },
  ];
  for (const { why, fields, problem } of wrong)
    it(`rejects ${why}`, () => {
      expect(problems(fields)).to.contain(problem);
    });

  it('lets endpoints with different names share what they listen on, and names the host that is there twice', () => {
    const named = (name: string, ...hosts: readonly string[]) => ({ name, sni: { hosts } });
    const sharing = parse(named('a', 'a.example'), named('b', '*.example'), { name: 'all', sni: {} });
    expect(listenConflicts(sharing.config.endpoints, undefined, 'Realm')).to.deep.equal([]);
    const twice = parse(named('a', 'a.example'), named('b', 'b.example', 'A.example'), {
      name: 'plain',
      listen: '[::]:443',
    });
    expect(listenConflicts(twice.config.endpoints, undefined, 'Realm')).to.deep.equal([
      'endpoints "a" ([::]:443 for IPv4 and IPv6) and "b" ([::]:443 for IPv4 and IPv6) cannot share TCP port 443: both serve "a.example": remove it from sni.hosts of one of them',
      'endpoints "a" ([::]:443 for IPv4 and IPv6) and "plain" ([::]:443 for IPv4 and IPv6) cannot share TCP port 443: set sni on both, so that they share it, or choose another port',
      'endpoints "b" ([::]:443 for IPv4 and IPv6) and "plain" ([::]:443 for IPv4 and IPv6) cannot share TCP port 443: set sni on both, so that they share it, or choose another port',
    ]);
    const mixed = parse(named('a', 'a.example'), {
      ...named('b', 'b.example'),
      network: { accept_proxy: true },
    });
    expect(listenConflicts(mixed.config.endpoints, undefined, 'Realm').join()).to.contain(
      'set accept_proxy to the same on both',
    );
    const multipath = parse(named('a', 'a.example'), {
      ...named('b', 'b.example'),
      network: { accept_mptcp: true },
    });
    expect(listenConflicts(multipath.config.endpoints, undefined, 'Realm').join()).to.contain(
      'set accept_mptcp to the same on both',
    );
  });
});

describe('the name that a client of TLS asks for', () => {
  const keys = new Set(['a.example', '*.example', '*.b.example', 'example']);
  const cases: Readonly<Record<string, string | undefined>> = {
    'a.example': 'a.example',
    'x.a.example': '*.example',
    'b.example': '*.example',
    'x.b.example': '*.b.example',
    'y.x.b.example': '*.b.example',
    example: 'example',
    'a.example.org': undefined,
    xexample: undefined,
    '': undefined,
    '.example': '*.example',
    '*.b.example': '*.b.example',
  };
  for (const [name, key] of Object.entries(cases))
    it(`"${name}" belongs to ${key === undefined ? 'none' : `"${key}"`}, or to the endpoint for all others`, () => {
      expect(matchingName(name, (each) => keys.has(each))).to.equal(key);
      expect(matchingName(name, (each) => keys.has(each) || each === '')).to.equal(key ?? '');
    });
});

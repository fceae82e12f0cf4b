import { expect } from 'chai';
import { parseSocketAddress, type SocketAddress } from '../../src/config/address.ts';
import { configFindings } from '../../src/config/config-findings.ts';
import { relayConfig } from '../../src/config/parsed-config.ts';
import type { RealmEndpoint } from '../../src/config/realm-document.ts';

const own = {
  addresses: ['192.0.2.7', '2001:db8::7'],
  names: new Map([['gateway', 'probable']] as const),
};
const surroundings = { own, admin: undefined, writtenAs: 'Realm' } as const;
const v6Only = { network: { ipv6_only: true } };
const udp = { network: { use_udp: true, no_tcp: true } };

/** `LISTEN REMOTE`, with an endpoint's further keys. */
type Row = readonly [listenAndRemote: string, keys?: Partial<RealmEndpoint>];

/** Endpoints named a, b, … */
function found(rows: readonly Row[], admin?: string) {
  const endpoints = rows.map(([text, keys], index) => {
    const [listen = '', remote = ''] = text.split(' ');
    return { name: String.fromCharCode(97 + index), listen, remote, ...keys };
  });
  const { config } = relayConfig({ endpoints }, 'test');
  const address = admin === undefined ? undefined : (parseSocketAddress(admin) as SocketAddress);
  return configFindings(config.endpoints, { own, admin: address, writtenAs: 'Realm' });
}

function range(first: number, count: number, remote: (shift: number) => string): RealmEndpoint[] {
  return Array.from({ length: count }, (_, shift) => ({
    ...(shift === 0 ? { name: 'range' } : { range_of: 'range' }),
    listen: `0.0.0.0:${String(first + shift)}`,
    remote: remote(shift),
  }));
}

describe('findings of a configuration: link-local addresses without a zone', () => {
  it('are reported with the notation that works', () => {
    expect(found([['[fe80::1]:80 [feb0::2]:81']]).problems).to.deep.equal([
      'endpoint "a" cannot listen on fe80::1, a link-local address without a zone: ' +
        'write [fe80::1%IFACE]:80, where IFACE is the interface that "ip address" lists for it, or set listen_interface',
      'endpoint "a" cannot relay to feb0::2, a link-local address without a zone: ' +
        'write [feb0::2%IFACE]:81, where IFACE is the interface that "ip address" lists for it, or set interface',
    ]);
  });

  it('are fine with a zone, or an interface, and so are addresses that only look alike', () => {
    const rows: Row[] = [
      ['[fe80::1%eth0]:80 [fe80::2%eth0]:81'],
      ['[fe80::1]:82 [fe80::2]:81', { listen_interface: 'eth0', interface: 'eth0' }],
      ['[::1]:83 [fe80::2]:81', { through: 'fe80::9%eth0' }],
      ['[fe8::1]:84 [fec0::1]:81'],
    ];
    expect(found(rows).problems).to.deep.equal([]);
  });
});

describe('findings of a configuration: port conflicts', () => {
  const away = '198.51.100.1:1';
  const conflicting: readonly (readonly [why: string, ...rows: Row[]])[] = [
    ['a dual-stack wildcard takes the IPv4 port', [`0.0.0.0:80 ${away}`], [`[::]:80 ${away}`]],
    ['the same port twice', [`0.0.0.0:80 ${away}`], [`0.0.0.0:80 ${away}`]],
    ['a wildcard takes the port of each address', [`127.0.0.1:80 ${away}`], [`0.0.0.0:80 ${away}`]],
    ['a mapped address is IPv4', [`[::ffff:127.0.0.1]:80 ${away}`], [`127.0.0.1:80 ${away}`]],
    ['one name twice', [`localhost:80 ${away}`], [`LOCALHOST:80 ${away}`]],
    ['UDP of two endpoints', [`0.0.0.0:53 ${away}`, udp], [`[::]:53 ${away}`, udp]],
  ];
  for (const [why, ...rows] of conflicting) {
    it(`reports ${why}`, () => {
      const { problems } = found(rows);
      expect(problems).to.have.length(1);
      expect(problems[0]).to.match(/endpoints "a" .* and "b" .* cannot share (TCP|UDP) port \d+: \S/);
    });
  }

  const fitting: readonly (readonly [why: string, ...rows: Row[]])[] = [
    ['ipv6_only leaves IPv4 to others', [`0.0.0.0:80 ${away}`], [`[::]:80 ${away}`, v6Only]],
    ['TCP and UDP are apart', [`0.0.0.0:80 ${away}`], [`[::]:80 ${away}`, udp]],
    ['two addresses', [`127.0.0.1:80 ${away}`], [`127.0.0.2:80 ${away}`]],
    ['the kernel chooses each port', [`0.0.0.0:0 ${away}`], [`0.0.0.0:0 ${away}`]],
  ];
  for (const [why, ...rows] of fitting) {
    it(`reports nothing if they fit: ${why}`, () => {
      expect(found(rows)).to.deep.equal({ problems: [], warnings: [] });
    });
  }

  it('reports the ports that a range shares with another endpoint, once', () => {
    const endpoints = [...range(8000, 100, () => away), { name: 'b', listen: '[::]:8050', remote: away }];
    const { config } = relayConfig({ endpoints }, 'test');
    expect(configFindings(config.endpoints, surroundings).problems).to.deep.equal([
      'endpoints "b" ([::]:8050 for IPv4 and IPv6) and "range" (0.0.0.0:8000-8099 for IPv4) cannot share TCP port 8050: ' +
        'set ipv6_only to true on "b", or choose another port',
    ]);
  });

  it('reports an endpoint on the port of the admin server', () => {
    expect(
      found([[`0.0.0.0:9180 ${away}`], [`[::]:9180 ${away}`, udp]], '127.0.0.1:9180').problems,
    ).to.deep.equal([
      'endpoint "a" (0.0.0.0:9180) and the admin server (127.0.0.1:9180) cannot share TCP port 9180: ' +
        'choose another port for the endpoint, or another address with --admin',
    ]);
  });
});

describe('findings of a configuration: loops', () => {
  const loops: readonly (readonly [why: string, ...rows: Row[]])[] = [
    ['a wildcard serves loopback', ['0.0.0.0:80 127.0.0.1:80']],
    ['every address of 127.0.0.0/8 is loopback', ['0.0.0.0:80 127.9.9.9:80']],
    ['a dual-stack wildcard serves IPv4', ['[::]:80 127.0.0.1:80']],
    ['a dual-stack wildcard serves IPv6', ['[::]:80 [::1]:80']],
    ['localhost is loopback', ['0.0.0.0:80 LocalHost.:80']],
    ['so are the names below it', ['[::]:80 db.localhost:80', v6Only]],
    ['0.0.0.0 is dialled as loopback', ['127.0.0.1:80 0.0.0.0:80']],
    [':: is dialled as loopback', ['[::1]:80 [::]:80']],
    ['a mapped address is IPv4', ['0.0.0.0:80 [::ffff:127.0.0.1]:80']],
    ['an address of the machine', ['0.0.0.0:80 192.0.2.7:80']],
    ['an IPv6 address of the machine', ['[::]:80 [2001:db8:0::7]:80']],
    ['its own address', ['198.51.100.9:80 198.51.100.9:80']],
    ['its own name', ['relay.example:80 relay.example:80']],
    ['a further remote', ['0.0.0.0:80 198.51.100.1:1', { extra_remotes: ['127.0.0.1:80'] }]],
    ['UDP', ['0.0.0.0:53 127.0.0.1:53', udp]],
  ];
  for (const [why, ...rows] of loops) {
    it(`reports ${rows[0]?.[0] ?? ''}: ${why}`, () => {
      const { problems, warnings } = found(rows);
      expect(problems).to.have.length(1);
      expect(problems[0]).to.match(/^endpoint "a" .* is its own remote for (TCP|UDP) .*: give the remote/);
      expect(warnings).to.deep.equal([]);
    });
  }

  const apart: readonly (readonly [why: string, ...rows: Row[]])[] = [
    ['another port', ['0.0.0.0:80 127.0.0.1:81']],
    ['the other family', ['[::]:80 127.0.0.1:80', v6Only]],
    ['another address', ['127.0.0.1:80 127.0.0.2:80']],
    ['another machine', ['0.0.0.0:80 192.0.2.8:80']],
    ['another protocol', ['0.0.0.0:80 127.0.0.1:81', udp], ['0.0.0.0:81 127.0.0.1:80']],
    ['endpoints in a row', ['0.0.0.0:80 127.0.0.1:81'], ['0.0.0.0:81 127.0.0.1:82']],
  ];
  for (const [why, ...rows] of apart) {
    it(`reports nothing: ${why}`, () => {
      expect(found(rows)).to.deep.equal({ problems: [], warnings: [] });
    });
  }

  it('reports a circle over several endpoints once, with its way', () => {
    const { problems } = found([
      ['0.0.0.0:80 127.0.0.1:81'],
      ['0.0.0.0:81 [::1]:82'],
      ['[::]:82 0.0.0.0:80'],
    ]);
    expect(problems).to.deep.equal([
      'endpoints "a", "b", "c" relay TCP in a circle ("a" → 127.0.0.1:81 → "b" → [::1]:82 → "c" → 0.0.0.0:80 → "a"): ' +
        'give the remote the address and port of the service behind the relay, or listen on another port',
    ]);
  });

  it('reports each loop of an endpoint that has two', () => {
    const rows: Row[] = [
      ['0.0.0.0:80 127.0.0.1:80', { extra_remotes: ['127.0.0.1:81'] }],
      ['0.0.0.0:81 127.0.0.1:80'],
    ];
    expect(found(rows).problems).to.have.length(2);
  });

  it('warns if only the name of the machine leads back', () => {
    const { problems, warnings } = found([['0.0.0.0:80 Gateway:80']]);
    expect(problems).to.deep.equal([]);
    expect(warnings).to.have.length(1);
  });

  it('reports a range that is its own remote once, and warns of one that passes its clients along its ports', () => {
    const itself = relayConfig(
      { endpoints: range(8000, 3000, (shift) => `localhost:${String(8000 + shift)}`) },
      'test',
    );
    const along = relayConfig(
      { endpoints: range(8000, 3000, (shift) => `localhost:${String(8001 + shift)}`) },
      'test',
    );
    expect(configFindings(itself.config.endpoints, surroundings).problems).to.have.length(1);
    const { problems, warnings } = configFindings(along.config.endpoints, surroundings);
    expect(problems).to.deep.equal([]);
    expect(warnings).to.have.length(1);
    expect(warnings[0]).to.match(/^endpoint "range" relays its port 8000 to its own port 8001/);
  });
});

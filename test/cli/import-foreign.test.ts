import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { runCli } from './cli.ts';
import { endpoints, imported } from './imported.ts';

const nginx = `events {}
http { server { listen 80; } }
stream {
    upstream dns { least_conn; server 192.0.2.53:53 weight=2 max_fails=3; server 192.0.2.54:53; server 192.0.2.55:53 backup; }
    upstream web {
        hash $remote_addr consistent;
        server web1.example:443;
        server web2.example:443 down;
        server "web3.example:443";
    }
    server {
        listen 53 udp reuseport; # queries
        listen [::]:53 udp;
        proxy_pass dns;
        proxy_timeout 20s;
    }
    server {
        listen [::]:443 ipv6only=off;
        proxy_pass web;
        proxy_protocol on;
        proxy_connect_timeout 1m30s;
        allow 10.0.0.0/8;
        allow 2001:db8::/32;
        deny all;
    }
    server { listen 8000-8010; proxy_pass 192.0.2.1:9000; ssl_preread on; }
}
`;

describe('realm-operator import of nginx', () => {
  it('reads the servers of stream, and upstreams', async () => {
    const { relays, stderr } = await imported(nginx);
    const [dns4, dns6, web, range] = relays[0]?.spec.endpoints ?? [];
    expect(dns4).to.deep.equal({
      name: 'udp-53-v4',
      listen: { address: '0.0.0.0', port: 53 },
      remotes: [
        { address: '192.0.2.53', port: 53, weight: 2 },
        { address: '192.0.2.54', port: 53 },
      ],
      balance: 'LeastConnections',
      network: { tcp: false, udp: true, udpTimeoutSeconds: 20 },
    });
    expect(dns6?.network).to.deep.include({ ipv6Only: true });
    expect(web).to.deep.include({
      listen: { address: '::', port: 443 },
      balance: 'IPHash',
      network: {
        tcpTimeoutSeconds: 90,
        allowedSources: ['10.0.0.0/8', '2001:db8::/32'],
        sendProxy: { enabled: true, version: 1 },
      },
    });
    expect(web?.remotes.map(({ address }) => address)).to.deep.equal(['web1.example', 'web3.example']);
    expect(range).to.deep.include({
      listen: { address: '0.0.0.0', port: 8000, endPort: 8010 },
      remotes: [{ address: '192.0.2.1', port: 9000, fixedPort: true }],
    });
    expect(stderr.split('\n').map((line) => line.split(': has')[0])).to.include.members([
      'stdin:2: warning: http',
      'stdin:4: warning: backup',
      'stdin:26: warning: ssl_preread',
    ]);
  });

  it('reads a file that stream includes, and TLS', async () => {
    const [only] = await endpoints(
      'server {\n  listen 443 ssl;\n  ssl_certificate /etc/ssl/a.crt;\n  ssl_certificate_key /etc/ssl/a.key;\n  proxy_ssl on;\n  proxy_ssl_verify on;\n  proxy_pass backend.example:8443;\n}\n',
    );
    expect(only).to.deep.include({
      listenTransport: { tls: { secretName: 'a' } },
      remoteTransport: { tls: { serverName: 'backend.example' } },
    });
  });

  it('warns that remotes do not see the addresses of clients', async () => {
    const { stderr } = await imported(
      'stream { server { listen 1; proxy_pass a:1; proxy_bind $remote_addr transparent; } }\n',
    );
    expect(stderr).to.contain('stdin:1: warning: proxy_bind');
  });

  it('recognizes a file without streams', async () => {
    const { code, stderr } = await runCli(['import', '-'], 'http {\n server { listen 80; }\n}\n');
    expect(code).to.equal(1);
    expect(stderr)
      .to.contain('contains no forwarding of TCP or UDP')
      .and.to.contain('only the block stream is read');
  });

  it('refuses a variable as the remote', async () => {
    const { code, stderr } = await runCli(
      ['import', '-'],
      'stream {\n server { listen 1;\n proxy_pass $name; }\n}\n',
    );
    expect(code).to.equal(1);
    expect(stderr).to.contain(
      'stdin:3: proxy_pass: is no address that a RealmRelay can dial, got "$name": name an upstream, or HOST:PORT',
    );
  });

  const faults = [
    {
      why: 'no ; before the next directive',
      text: 'stream {\n server {\n  listen 443\n  proxy_pass b:1;\n }\n}\n',
      says: 'stdin:3: listen 443: does not end with ;: add it at the end of this line\n',
    },
    {
      why: 'no ; before a directive that is also a parameter',
      text: 'server {\n listen 443\n proxy_protocol on;\n proxy_pass b:1;\n}\n',
      says: 'stdin:2: listen 443: does not end with ;: add it at the end of this line\n',
    },
    {
      why: 'no ; before the end of a block',
      text: 'stream { server {\n listen 443;\n proxy_pass b:1\n}}\n',
      says: 'stdin:3: proxy_pass b:1: does not end with ;: add it at the end of this line\n',
    },
    {
      why: 'no ; before a block, and at the end of the file',
      text: 'stream {\n resolver 192.0.2.53\n server { listen 443; proxy_pass b:1; }\n}\nuser nobody',
      says:
        'stdin:2: resolver 192.0.2.53: does not end with ;: add it at the end of this line\n' +
        'stdin:5: user nobody: does not end with ;: add it at the end of this line\n',
    },
    {
      why: 'no }',
      text: 'stream {\n server {\n  listen 443;\n  proxy_pass b:1;\n}\n',
      says: 'stdin:1: stream: has a block without an end: add } where it ends\n',
    },
    {
      why: 'one } too many',
      text: 'stream { server { listen 443; proxy_pass b:1; } }\n}\n',
      says: 'stdin:2: }: ends no block: remove it, or add the { before it\n',
    },
  ];
  for (const { why, text, says } of faults)
    it(`names the line of what nginx rejects: ${why}`, async () => {
      expect(await runCli(['import', '-'], text)).to.deep.equal({ code: 1, stdout: '', stderr: says });
    });

  it('takes a directive of several lines, and what other modules write in their blocks', async () => {
    const [only] = await endpoints(
      'http { content_by_lua_block {\n local a = 1\n} }\nstream { server {\n listen 443\n  reuseport\n  proxy_protocol;\n set $a "${name}";\n proxy_pass b:1; } }\n',
    );
    expect(only).to.deep.include({ network: { acceptProxy: { enabled: true } } });
  });
});

describe('realm-operator import of gost', () => {
  it('reads the services of version 3', async () => {
    const { relays, stderr } = await imported(`services:
- name: service-0
  addr: ":8443"
  handler: {type: tcp}
  listener: {type: tcp}
  forwarder:
    nodes: [{name: a, addr: "192.168.1.1:443"}, {name: b, addr: "[2001:db8::1]:443"}]
    selector: {strategy: fifo, maxFails: 1}
- name: dns
  addr: 127.0.0.1:53
  handler: {type: udp}
  listener: {type: udp}
  forwarder: {nodes: [{addr: "8.8.8.8:53"}]}
- name: socks
  addr: :1080
  handler: {type: socks5}
`);
    expect(relays[0]?.spec.endpoints).to.deep.equal([
      {
        name: 'service-0',
        listen: { address: '::', port: 8443 },
        remotes: [
          { address: '192.168.1.1', port: 443 },
          { address: '2001:db8::1', port: 443 },
        ],
        balance: 'Failover',
      },
      {
        name: 'dns',
        listen: { address: '127.0.0.1', port: 53 },
        remotes: [{ address: '8.8.8.8', port: 53 }],
        network: { tcp: false, udp: true },
      },
    ]);
    expect(stderr).to.contain('stdin:14: warning: service: has no counterpart');
  });

  it('reads the nodes of version 2', async () => {
    const { relays, stderr } = await imported(
      '{"ServeNodes": [\n"tcp://:2222/192.168.1.1:22,192.168.1.2:22?strategy=rand",\n"udp://:53/8.8.8.8:53",\n"socks5://:1080"]}',
    );
    expect(relays[0]?.spec.endpoints.map(({ name }) => name)).to.deep.equal(['tcp-2222', 'udp-53']);
    expect(stderr).to.contain('stdin:4: warning: ServeNodes');
  });

  it('reads the nodes of routes', async () => {
    const { relays, stderr } = await imported(
      '{"Routes": [\n{"ServeNodes": ["tcp://:2222/[2001:db8::1]:22"],\n"ChainNodes": ["socks5://a:1"]}]}',
    );
    expect(relays[0]?.spec.endpoints.map(({ name }) => name)).to.deep.equal(['tcp-2222']);
    expect(stderr).to.contain('stdin:3: warning: ChainNodes');
  });
});

describe('realm-operator import of rinetd', () => {
  it('reads forwarding rules, allow and deny', async () => {
    const { relays, stderr } = await imported(`# a comment
allow 10.0.*.*
logfile /var/log/rinetd.log
0.0.0.0 80 192.0.2.10 8080
0.0.0.0 443/tcp web.example https
allow 192.0.2.7
deny 10.0.0.1
:: 53/udp 2001:db8::53 53/udp
`);
    expect(relays[0]?.spec.endpoints).to.deep.equal([
      {
        name: 'tcp-80-v4',
        listen: { address: '0.0.0.0', port: 80 },
        remotes: [{ address: '192.0.2.10', port: 8080 }],
        network: { allowedSources: ['10.0.0.0/16'] },
      },
      {
        name: 'tcp-443-v4',
        listen: { address: '0.0.0.0', port: 443 },
        remotes: [{ address: 'web.example', port: 443 }],
        network: { allowedSources: ['10.0.0.0/16', '192.0.2.7'] },
      },
      {
        name: 'udp-53',
        listen: { address: '::', port: 53 },
        remotes: [{ address: '2001:db8::53', port: 53 }],
        network: { tcp: false, udp: true, allowedSources: ['10.0.0.0/16'] },
      },
    ]);
    expect(stderr).to.contain(
      'stdin:7: warning: deny: has no counterpart in a RealmRelay and is left out, got "10.0.0.1"',
    );
  });

  const incomplete = [
    { why: 'a rule without a port', line: '0.0.0.0 80 192.0.2.10' },
    { why: 'a rule of two protocols', line: '0.0.0.0 53/udp 192.0.2.10 53/tcp' },
    { why: 'other words', line: 'hello world' },
  ];
  for (const { why, line } of incomplete)
    it(`leaves out a line that is no rule, with a warning, and reads the others: ${why}`, async () => {
      for (const lines of [
        [line, ':: 1 a 2'],
        [':: 1 a 2', line],
      ]) {
        const { relays, stderr } = await imported(`${lines.join('\r\n')}\r\n`);
        expect(relays[0]?.spec.endpoints.map(({ name }) => name)).to.deep.equal(['tcp-1']);
        const number = String(lines.indexOf(line) + 1);
        expect(stderr).to.contain(`stdin:${number}: warning: ${line}: is no forwarding rule and is left out`);
      }
    });

  it('recognizes a file whose only rule is not whole', async () => {
    const { code, stderr } = await runCli(['import', '-'], '0.0.0.0 80 192.0.2.10\n');
    expect(code).to.equal(1);
    expect(stderr)
      .to.contain('contains no forwarding of TCP or UDP')
      .and.to.contain('stdin:1: warning: 0.0.0.0 80 192.0.2.10: is no forwarding rule');
  });

  it('refuses a pattern of digits', async () => {
    const { code, stderr } = await runCli(['import', '-'], 'allow 10.?.0.1\n:: 1 a 2\n');
    expect(code).to.equal(1);
    expect(stderr).to.contain('stdin:1: allow: is no range of addresses');
  });
});

describe('realm-operator import of Realm', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'realm-operator-'));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  const cases = [
    {
      why: 'TOML',
      text: '[network]\nuse_udp = true\n\n[[endpoints]]\nlisten = "[::]:1"\nremote = "a:1"\n[[endpoints]]\nremote = "a:2"\n# a port\nlisten = "[::]:x"\n',
      line: 10,
    },
    {
      why: 'a table of an endpoint',
      text: '[[endpoints]]\nlisten = "[::]:1"\nremote = "a:1"\n[endpoints.network]\ntcp_timeout = "x"\n',
      line: 5,
    },
    {
      why: 'inline tables',
      text: 'endpoints = [\n  {listen = "[::]:1", remote = "a:1"},\n  {listen = "[::]:x", remote = "a:1"},\n]\n',
      line: 3,
    },
    { why: 'JSON', text: '{"endpoints": [\n  {"listen": "[::]:1",\n   "remote": "a:x"}]}', line: 3 },
  ];
  for (const { why, text, line } of cases)
    it(`reports problems with their line: ${why}`, async () => {
      const path = join(folder, 'realm.toml');
      writeFileSync(path, text);
      const { code, stderr } = await runCli(['import', path]);
      expect(code).to.equal(1);
      expect(stderr).to.match(new RegExp(`^${path}:${String(line)}: endpoints\\[`));
    });

  it('takes interfaces, also with UDP, and warns that they are left out', async () => {
    const { stderr } = await imported(
      '[[endpoints]]\nlisten = "[::]:1"\nremote = "a:1"\ninterface = "eth0"\nnetwork = {use_udp = true}\n',
    );
    expect(stderr).to.equal(
      'stdin:4: warning: endpoints[0].interface: is an interface of one machine, which a RealmRelay cannot name, got "eth0": remove it\n',
    );
  });

  it('prints several RealmRelays for more ports than a Service can have', async () => {
    const text =
      '[network]\nuse_udp = true\n[[endpoints]]\nlisten = "[::]:10000"\nlisten_end_port = 10699\nremote = "a:20000"\n';
    const { relays, stderr } = await imported(text, '--name', 'voip');
    expect(
      relays.map(
        ({
          metadata: { name },
          spec: {
            endpoints: [first],
            service,
          },
        }) => [name, first?.listen, first?.remotes[0]?.port, service],
      ),
    ).to.deep.equal([
      ['voip-1', { address: '::', port: 10_000, endPort: 10_255 }, 20_000, undefined],
      ['voip-2', { address: '::', port: 10_256, endPort: 10_511 }, 20_256, undefined],
      ['voip-3', { address: '::', port: 10_512, endPort: 10_699 }, 20_512, undefined],
    ]);
    expect(stderr).to.contain('become several RealmRelays');
  });

  it('is what other files are taken for, and what --from realm requests', async () => {
    expect((await runCli(['import', '--from', 'realm', '-'], nginx)).stderr).to.contain(
      'is neither TOML nor JSON',
    );
    const { code, stderr } = await runCli(['import', '--from', 'squid', '-'], '');
    expect(code).to.equal(2);
    expect(stderr).to.contain('use one of auto, realm, haproxy, nginx, gost, rinetd');
  });
});

import { expect } from 'chai';
import { runCli } from './cli.ts';
import { endpoints, imported } from './imported.ts';

const haproxy = `global
    maxconn 4096   # of all
defaults
    mode tcp
    timeout connect 7s
    timeout client 1m
    timeout server 30s
frontend https
    bind :443
    bind [::]:443 v6only accept-proxy
    maxconn 2000
    tcp-request inspect-delay 5s
    use_backend other if { src 10.0.0.0/8 }
    default_backend web
backend web
    balance leastconn
    server a 192.0.2.10:8443 check inter 3s fall 2 weight 200 send-proxy-v2
    server b [2001:db8::1]:8443 check inter 3s fall 2 weight 512 send-proxy-v2
    server c 192.0.2.12:8443 disabled
listen pg
    bind 0.0.0.0:5432-5433
    server db1 db1.example check
    server db2 db2.example check backup
frontend site
    mode http
    bind :80
`;

describe('realm-operator import of HAProxy', () => {
  it('reads frontends with their backend, and listen', async () => {
    const { relays, stderr } = await imported(haproxy);
    const [v4, v6, pg] = relays[0]?.spec.endpoints ?? [];
    expect(v4).to.deep.equal({
      name: 'https-1',
      listen: { address: '0.0.0.0', port: 443 },
      remotes: [
        { address: '192.0.2.10', port: 8443, weight: 100 },
        { address: '2001:db8::1', port: 8443, weight: 255 },
      ],
      balance: 'LeastConnections',
      healthCheck: { intervalSeconds: 3, unhealthyThreshold: 2, healthyThreshold: 2 },
      network: {
        tcpTimeoutSeconds: 7,
        tcpIdleTimeoutSeconds: 30,
        maxConnections: 2000,
        sendProxy: { enabled: true },
      },
    });
    expect(v6).to.have.nested.property('network.acceptProxy.enabled', true);
    expect(v6).to.deep.include({ listen: { address: '::', port: 443 } });
    expect(pg).to.deep.include({
      name: 'pg',
      listen: { address: '0.0.0.0', port: 5432, endPort: 5433 },
      remotes: [
        { address: 'db1.example', port: 5432 },
        { address: 'db2.example', port: 5432 },
      ],
      balance: 'Failover',
    });
    expect(stderr.split('\n').slice(0, 3)).to.deep.equal([
      'stdin:12: warning: tcp-request inspect-delay: has no counterpart in a RealmRelay and is left out, got "5s": check whether you need it',
      'stdin:13: warning: use_backend: has no counterpart in a RealmRelay and is left out, got "other if { src 10.0.0.0/8 }": a RealmRelay has no conditions: use an endpoint for each',
      'stdin:24: warning: mode http: has no counterpart in a RealmRelay and is left out, got "site": a RealmRelay relays TCP and UDP without reading them',
    ]);
  });

  it('reads quotes inside words, defaults by their names, and one port for each family', async () => {
    const [v4, v6, ...others] = await endpoints(
      [
        'defaults slow',
        '  timeout client 1m',
        'defaults fast from slow',
        '  timeout connect 1s',
        'defaults last',
        '  timeout client 9s',
        'listen a from fast',
        '  bind *:80',
        '  bind :::80',
        `  server one "backend"'.example':80`,
        '',
      ].join('\n'),
    );
    const network = { tcpTimeoutSeconds: 1, tcpIdleTimeoutSeconds: 60 };
    expect(v4).to.deep.include({ listen: { address: '0.0.0.0', port: 80 }, network });
    expect(v6).to.deep.include({
      listen: { address: '::', port: 80 },
      remotes: [{ address: 'backend.example', port: 80 }],
      network: { ...network, ipv6Only: true },
    });
    expect(others).to.deep.equal([]);
  });

  it('warns if servers have other settings than the first one, and of conditions of the file', async () => {
    const { relays, stderr } = await imported(
      'listen a\n bind :1\n default-server check\n.if defined(X)\n server one a:1\n.endif\n server two b:1 no-check send-proxy\n',
    );
    expect(relays[0]?.spec.endpoints[0]).to.have.property('healthCheck');
    expect(stderr.split('\n')).to.deep.equal([
      'stdin:4: warning: .if: has no counterpart in a RealmRelay and is left out: the lines between .if and .endif are read in any case',
      'stdin:6: warning: .endif: has no counterpart in a RealmRelay and is left out: the lines between .if and .endif are read in any case',
      'stdin:7: warning: server two: has other settings than the first server (check, send-proxy), which are those of all remotes: check whether that is right, or use an endpoint for each',
      '',
    ]);
  });

  it('reads TLS on both sides', async () => {
    const { relays, stderr } = await imported(
      'listen tls\n  bind :443 ssl crt /etc/ssl/web.pem alpn h2,http/1.1\n  server a backend.example:8443 ssl verify none sni str(web.example)\n',
    );
    expect(relays[0]?.spec.endpoints[0]).to.deep.include({
      listenTransport: { tls: { secretName: 'web', alpn: ['h2', 'http/1.1'] } },
      remoteTransport: { tls: { serverName: 'web.example', insecure: true } },
    });
    expect(stderr).to.contain('kubectl create secret tls web');
  });

  const refused = [
    {
      why: 'a backend that is not there',
      text: 'frontend a\n bind :1\n default_backend b\n',
      says: 'stdin:3: default_backend: is no backend of the file, got "b"',
    },
    {
      why: 'a section without servers',
      text: 'listen a\n bind :1\n',
      says: 'stdin:1: listen a: has no server',
    },
    {
      why: 'a socket of a file system',
      text: 'listen a\n bind :1\n server b /run/b.sock\n',
      says: 'stdin:3: server: is no address that a RealmRelay can dial, got "/run/b.sock"',
    },
    {
      why: 'an address without a port',
      text: 'listen a\n bind eth0\n server b c:1\n',
      says: 'stdin:2: bind: is no address with a port, got "eth0"',
    },
    {
      why: 'a variable of the environment',
      text: 'listen a\n bind "${ADDRESS}":1\n server b "$HOST":1\n',
      says: 'stdin:2: bind: contains a variable of the environment, got "${ADDRESS}:1": write its value',
    },
    {
      why: 'QUIC',
      text: 'listen a\n bind quic4@:1\n server b c:1\n',
      says: 'stdin:2: bind: is no address with a port, got "quic4@:1"',
    },
    {
      why: 'HTTP alone',
      text: 'listen a\n mode http\n bind :1\n server b c:1\n',
      says: 'contains no forwarding of TCP or UDP',
    },
  ];
  for (const { why, text, says } of refused)
    it(`refuses ${why}`, async () => {
      const { code, stdout, stderr } = await runCli(['import', '-'], text);
      expect({ code, stdout }).to.deep.equal({ code: 1, stdout: '' });
      expect(stderr).to.contain(says);
    });
});

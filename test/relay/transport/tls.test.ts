import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import http2 from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import { join } from 'node:path';
import { connect, createServer, type ConnectionOptions, type TLSSocket, type TlsOptions } from 'node:tls';
import { expect } from 'chai';
import { FakeClock } from '../../support/fake-clock.ts';
import { eventually } from '../../support/eventually.ts';
import {
  addressText,
  config,
  endpoint,
  failure,
  listenOf,
  Loopback,
  received,
  split,
  statusOf,
  type TestRelay,
  loggedLine,
} from '../loopback.ts';
import { openssl, TestPki, type PairFiles } from './pki.ts';

const loopback = new Loopback();
let pki: TestPki;
let strange: TestPki;
let server: PairFiles;
let client: PairFiles;

before(() => {
  pki = new TestPki();
  strange = new TestPki('strange-ca');
  server = pki.pair('relay.example');
  client = pki.pair('client.example');
});
after(() => {
  pki.remove();
  strange.remove();
});
afterEach(() => loopback.closeAll());

/** The transport of our listening side. */
function words(): string {
  return `tls;cert=${server.cert};key=${server.key}`;
}

async function listening(transport: string, options = {}): Promise<TestRelay & { dials: () => number }> {
  let dials = 0;
  const remote = await loopback.tcpRemote((socket) => {
    dials += 1;
    socket.pipe(socket);
  });
  const running = await loopback.relay(config(endpoint(remote, { listen_transport: transport })), options);
  return { ...running, dials: () => dials };
}

/** A TLS client of `relay` that trusts the authority of the tests; its handshake may not be done yet. */
function tlsClient(
  { relay }: Pick<TestRelay, 'relay'>,
  options: ConnectionOptions & { readonly allowHalfOpen?: boolean } = {},
): TLSSocket {
  const trust = { ca: readFileSync(pki.ca), servername: 'relay.example' };
  const socket = connect({ ...split(listenOf(relay)), ...trust, ...options });
  socket.on('error', () => undefined);
  loopback.onClose(() => {
    socket.destroy();
  });
  return socket;
}

async function echoed(socket: TLSSocket, text: string): Promise<string> {
  const back = received(socket);
  socket.end(text);
  return back;
}

function pair({ cert, key }: PairFiles): { cert: Buffer; key: Buffer } {
  return { cert: readFileSync(cert), key: readFileSync(key) };
}

async function failedLine({ lines }: Pick<TestRelay, 'lines'>): Promise<{ side: unknown; message: string }> {
  const line = await loggedLine(lines, 'connection failed');
  return { side: line['side'], message: (line['err'] as Error).message };
}

describe('relay, TLS towards the client', () => {
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    it(`speaks ${version}`, async () => {
      const socket = tlsClient(await listening(words()), { minVersion: version, maxVersion: version });
      expect(await echoed(socket, 'hello')).to.equal('hello');
    });
  }

  const negotiated = [
    { why: 'its own order of preference', alpn: 'h2,http/1.1', offers: ['http/1.1', 'h2'], gets: 'h2' },
    { why: 'the one that both have', alpn: 'h2,http/1.1', offers: ['http/1.1'], gets: 'http/1.1' },
    { why: 'a client that offers none is served', alpn: 'h2', offers: [], gets: false },
    { why: 'without alpn the offer is ignored', alpn: '', offers: ['h2'], gets: false },
  ] as const;
  for (const { why, alpn, offers, gets } of negotiated) {
    it(`negotiates ${gets || 'no protocol'} by ALPN: ${why}`, async () => {
      const running = await listening(`${words()}${alpn === '' ? '' : `;alpn=${alpn}`}`);
      const socket = tlsClient(running, offers.length === 0 ? {} : { ALPNProtocols: [...offers] });
      expect(await echoed(socket, 'hello')).to.equal('hello');
      expect(socket.alpnProtocol).to.equal(gets);
    });
  }

  it('serves HTTP/2 with alpn=h2, as gRPC clients require', async () => {
    const backend = http2.createServer((_request, response) => response.end('hello'));
    loopback.onClose(() => {
      backend.close();
    });
    await once(backend.listen(0, '127.0.0.1'), 'listening');
    const { relay } = await loopback.relay(
      config(
        endpoint(addressText(backend.address() as AddressInfo), { listen_transport: `${words()};alpn=h2` }),
      ),
    );
    const session = http2.connect(`https://${listenOf(relay)}`, { ca: readFileSync(pki.ca) });
    loopback.onClose(() => {
      session.destroy();
    });
    const stream = session.request({ ':path': '/' });
    const [answer] = (await once(stream, 'data')) as [Buffer];
    expect(answer.toString()).to.equal('hello');
  });

  it('rejects a client that offers only other protocols, with the alert of RFC 7301', async () => {
    const running = await listening(`${words()};alpn=h2`);
    const socket = tlsClient(running, { ALPNProtocols: ['http/1.1'] });
    expect(await failure(socket)).to.equal('ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL');
    const { side, message } = await failedLine(running);
    expect(side).to.equal('client');
    expect(message).to.contain('TLS handshake failed: the peer offers no protocol of alpn');
    expect(running.dials()).to.equal(0);
  });

  it('refuses TLS 1.1', async () => {
    const running = await listening(words());
    const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
    tlsClient(running, old);
    expect((await failedLine(running)).message).to.match(/TLS handshake failed: /);
  });

  it('serves openssl s_client', async () => {
    const { relay } = await listening(words());
    const child = spawn('openssl', [
      's_client',
      '-quiet',
      '-verify_return_error',
      '-CAfile',
      pki.ca,
      '-connect',
      listenOf(relay),
    ]);
    loopback.onClose(() => {
      child.kill();
    });
    child.stdin.write('hello\n');
    const [answer] = (await once(child.stdout, 'data')) as [Buffer];
    expect(answer.toString()).to.equal('hello\n');
  });

  it('reads certificate and key in DER', async () => {
    const [cert, key] = [join(pki.folder, 'der.crt'), join(pki.folder, 'der.key')];
    openssl(['x509', '-in', server.cert, '-outform', 'DER', '-out', cert]);
    openssl(['pkey', '-in', server.key, '-outform', 'DER', '-out', key]);
    const socket = tlsClient(await listening(`tls;cert=${cert};key=${key}`));
    expect(await echoed(socket, 'hello')).to.equal('hello');
  });

  it('creates a self-signed certificate for servername at start', async () => {
    const socket = tlsClient(await listening('tls;servername=made.example'), { rejectUnauthorized: false });
    await once(socket, 'secureConnect');
    expect(socket.getPeerX509Certificate()?.checkHost('made.example')).to.equal('made.example');
    expect(await echoed(socket, 'hello')).to.equal('hello');
  });

  it('staples the OCSP response in the file ocsp', async () => {
    const ocsp = join(pki.folder, 'ocsp.der');
    writeFileSync(ocsp, 'an OCSP response');
    const socket = tlsClient(await listening(`${words()};ocsp=${ocsp}`), { requestOCSP: true });
    const [response] = (await once(socket, 'OCSPResponse')) as [Buffer];
    expect(response.toString()).to.equal('an OCSP response');
  });

  it('serves a client with a certificate of clientca', async () => {
    const running = await listening(`${words()};clientca=${pki.ca}`);
    expect(await echoed(tlsClient(running, pair(client)), 'hello')).to.equal('hello');
  });

  const bad = [
    { what: 'without a certificate', options: () => ({}), why: 'the client sent no certificate' },
    {
      what: 'with a certificate of another authority',
      options: () => pair(strange.pair('client.example')),
      why: /client certificate is not valid: UNABLE_TO_/,
    },
  ];
  for (const { what, options, why } of bad) {
    it(`refuses a client ${what} if clientca is set, without a dial`, async () => {
      const running = await listening(`${words()};clientca=${pki.ca}`);
      const socket = tlsClient(running, options());
      const closed = Promise.withResolvers<undefined>();
      socket
        .on('error', () => undefined)
        .on('close', closed.resolve)
        .resume(); // TLS may tell the client why
      await closed.promise;
      const failed = await failedLine(running);
      expect(failed.side).to.equal('client');
      expect(failed.message).to.match(new RegExp(why));
      expect(running.dials()).to.equal(0);
    });
  }

  const garbage = [
    { what: 'HTTP', sent: 'GET / HTTP/1.1\r\n\r\n', why: /speaks HTTP without TLS/ },
    { what: 'another protocol', sent: 'SSH-2.0-OpenSSH\r\n', why: /does not speak TLS/ },
    {
      what: 'an oversized hello',
      sent: Buffer.concat([Buffer.from('160301ffff01', 'hex'), Buffer.alloc(70_000)]),
      why: /TLS handshake failed/,
    },
  ];
  for (const { what, sent, why } of garbage) {
    it(`closes a client that sends ${what}, with a clear message and without a dial`, async () => {
      const running = await listening(words());
      const socket = await loopback.client(listenOf(running.relay));
      const failed = failure(socket);
      socket.write(sent);
      expect(await failed).to.be.oneOf(['END', 'ECONNRESET']);
      socket.destroy();
      expect((await failedLine(running)).message).to.match(why);
      expect(running.dials()).to.equal(0);
      expect(running.relay.status().recentErrors[0]).to.include({
        side: 'client',
        reason: 'REALM_HANDSHAKE_FAILED',
      });
      expect(running.relay.status().recentErrors[0]?.remedy).to.contain(
        'The client does not match listen_transport',
      );
    });
  }

  it('ends a handshake that takes longer than tcp_timeout', async () => {
    const clock = new FakeClock();
    const running = await listening(words(), { clock });
    const socket = await loopback.client(listenOf(running.relay));
    socket.write(Buffer.from('160301', 'hex'));
    await eventually('the connection', () => statusOf(running.relay).connections.active === 1);
    const failed = failure(socket);
    clock.advance(5000);
    expect(await failed).to.equal('ECONNRESET');
    expect((await failedLine(running)).message).to.equal('the handshake timed out after 5000 ms');
  });

  it('survives a client that resets in the middle of a handshake', async () => {
    const running = await listening(words());
    const socket = await loopback.client(listenOf(running.relay));
    socket.write(Buffer.from('160301', 'hex'));
    await eventually('the connection', () => statusOf(running.relay).connections.active === 1);
    socket.resetAndDestroy();
    expect((await failedLine(running)).side).to.equal('client');
    expect(await echoed(tlsClient(running), 'hello')).to.equal('hello');
  });

  it('ends a handshake as soon as the client ends its side', async () => {
    const running = await listening(words(), { clock: new FakeClock() }); // so the timeout never comes
    const socket = await loopback.client(listenOf(running.relay));
    socket.end(Buffer.from('160301', 'hex'));
    expect((await failedLine(running)).message).to.match(/TLS handshake failed: /);
    expect(running.dials()).to.equal(0);
  });

  it('reads a PROXY header before the TLS hello, and passes its client on to the remote', async () => {
    const remote = await loopback.echo();
    const network = { accept_proxy: true, send_proxy: true, send_proxy_version: 1 };
    const { relay } = await loopback.relay(config(endpoint(remote, { listen_transport: words() }, network)));
    const raw = await loopback.client(listenOf(relay));
    raw.write('PROXY TCP4 192.0.2.1 192.0.2.2 1111 2222\r\n');
    const socket = connect({ socket: raw, ca: readFileSync(pki.ca), servername: 'relay.example' });
    expect(await echoed(socket, 'hello')).to.equal('PROXY TCP4 192.0.2.1 192.0.2.2 1111 2222\r\nhello');
  });

  it('does not apply to UDP', async () => {
    const remote = await loopback.udpEcho('udp ');
    const { relay } = await loopback.relay(
      config(endpoint(remote, { listen_transport: words() }, { use_udp: true, no_tcp: true })),
    );
    const socket = await loopback.udp();
    const { host, port } = split(listenOf(relay));
    socket.send('hello', port, host);
    const [message] = (await once(socket, 'message')) as [Buffer];
    expect(message.toString()).to.equal('udp hello');
  });

  it('reports its transports in the status', async () => {
    const remote = await loopback.echo();
    const both = { listen_transport: `ws;host=h;path=/;${words()}`, remote_transport: 'tls;sni=x' };
    const { relay } = await loopback.relay(config(endpoint(remote, both)));
    expect(statusOf(relay)).to.deep.include({ transport: '[ws][tls][plain]||[tls][plain]', ready: true });
  });
});

describe('relay, TLS towards the remote', () => {
  /** A TLS server that greets with `greeting`. */
  async function tlsServer(options: TlsOptions, greeting = 'hello'): Promise<string> {
    const sockets = new Set<Socket>();
    const tls = createServer(options, (socket) => {
      sockets.add(socket);
      socket.on('error', () => undefined).end(`${greeting} ${socket.alpnProtocol || 'none'}`);
    }).listen(0, '127.0.0.1');
    tls.on('tlsClientError', () => undefined);
    loopback.onClose(() => {
      for (const socket of sockets) socket.destroy();
      tls.close();
    });
    await once(tls, 'listening');
    return addressText(tls.address() as { address: string; port: number });
  }

  async function greeted(
    remote: string,
    transport: string,
    extra: string[] = [],
  ): Promise<TestRelay & { text: string }> {
    const fields = { remote_transport: transport, extra_remotes: extra };
    const running = await loopback.relay(config(endpoint(remote, fields)));
    const socket = loopback.dial(listenOf(running.relay));
    const text = await Promise.race([received(socket), once(socket, 'error').then(() => '')]);
    socket.end();
    return { ...running, text };
  }

  it('checks the certificate against ca and the name in sni', async () => {
    const { text } = await greeted(await tlsServer(pair(server)), `tls;sni=relay.example;ca=${pki.ca}`);
    expect(text).to.equal('hello none');
  });

  it('checks the certificate against an IP address in sni', async () => {
    const { text } = await greeted(await tlsServer(pair(server)), `tls;sni=127.0.0.1;ca=${pki.ca}`);
    expect(text).to.equal('hello none');
  });

  it('offers the protocols in alpn', async () => {
    const remote = await tlsServer({ ...pair(server), ALPNProtocols: ['h2', 'http/1.1'] });
    const { text } = await greeted(remote, `tls;sni=relay.example;ca=${pki.ca};alpn=http/1.1, x`);
    expect(text).to.equal('hello http/1.1');
  });

  it('accepts any certificate with insecure', async () => {
    const { text } = await greeted(
      await tlsServer(pair(strange.pair('other.example'))),
      'tls;sni=x;insecure',
    );
    expect(text).to.equal('hello none');
  });

  it('presents its certificate in cert and key', async () => {
    const asking = { ...pair(server), ca: readFileSync(pki.ca), requestCert: true, rejectUnauthorized: true };
    const shown = `tls;sni=relay.example;ca=${pki.ca};cert=${client.cert};key=${client.key}`;
    const { text } = await greeted(await tlsServer(asking), shown);
    expect(text).to.equal('hello none');
  });

  const refused = [
    {
      what: 'is of no authority that it trusts',
      sni: 'relay.example',
      ca: () => strange.ca,
      why: /not signed by a trusted authority: add the authority to ca/,
    },
    { what: 'is for another name', sni: 'other.example', ca: () => pki.ca, why: /altnames/ },
  ];
  for (const { what, sni, ca, why } of refused) {
    it(`tries the next remote if a certificate ${what}, and logs why`, async () => {
      const first = await tlsServer(pair(server), 'never');
      const next = await tlsServer(pair((sni === 'other.example' ? pki : strange).pair(sni)), 'next');
      const { text, lines } = await greeted(first, `tls;sni=${sni};ca=${ca()}`, [next]);
      expect(text).to.equal('next none');
      const line = lines.find(({ msg }) => msg === 'remote failed, trying the next');
      expect((line?.['err'] as Error).message).to.match(why);
    });
  }

  it('trusts no private authority without ca', async () => {
    const { text, ...running } = await greeted(await tlsServer(pair(server)), 'tls;sni=relay.example');
    expect(text).to.equal('');
    const failed = await failedLine(running);
    expect(failed.side).to.equal('upstream');
    expect(failed.message).to.match(/^no remote could be reached: .*: add the authority to ca/);
    const [error] = running.relay.status().recentErrors;
    expect(error).to.include({ side: 'upstream', reason: 'REALM_HANDSHAKE_FAILED' });
    expect(error?.remedy).to.contain('The remote does not match remote_transport');
  });

  it('resets a client that has ended its side, if the remote resets the connection then', async () => {
    const remote = await loopback.tcpRemote((socket) => {
      socket.on('end', () => socket.resetAndDestroy()).resume();
      socket.write('an answer');
    });
    const { relay } = await loopback.relay(config(endpoint(remote, { listen_transport: words() })));
    const socket = tlsClient({ relay });
    socket.once('data', () => socket.end());
    expect(await failure(socket)).to.equal('ECONNRESET');
  });

  it('resets the client if the remote does not speak TLS', async () => {
    const remote = await loopback.greeter('SSH-2.0-x\r\n');
    const { text } = await greeted(remote, 'tls;sni=x;insecure');
    expect(text).to.equal('');
  });

  it('sends the PROXY header before the TLS hello', async () => {
    const { promise, resolve } = Promise.withResolvers<string>();
    const remote = await loopback.tcpRemote((socket) => {
      socket.once('data', (part: Buffer) => {
        resolve(part.toString('latin1'));
        socket.destroy();
      });
    });
    const network = { send_proxy: true, send_proxy_version: 1 };
    const { relay } = await loopback.relay(
      config(endpoint(remote, { remote_transport: 'tls;sni=x' }, network)),
    );
    await loopback.client(listenOf(relay));
    expect(await promise).to.match(/^PROXY TCP4 127\.0\.0\.1 /);
  });
});

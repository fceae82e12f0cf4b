import { once } from 'node:events';
import { expect } from 'chai';
import { FakeClock } from '../../support/fake-clock.ts';
import { eventually } from '../../support/eventually.ts';
import type { RealmEndpoint, RealmNetwork } from '../../../src/config/realm-document.ts';
import { connecting } from '../../support/open-sockets.ts';
import { engines } from '../engines.ts';
import {
  config,
  endpoint,
  failure,
  listenOf,
  loggedLine,
  Loopback,
  noIdleSweep,
  received,
  statusOf,
} from '../loopback.ts';
import { silentPort } from './silent-port.ts';

const loopback = new Loopback();
afterEach(() => loopback.closeAll());

describe('relay, a remote that does not answer', () => {
  it('is overtaken by the next one after 250 ms, and ejected when its own timeout has passed', async () => {
    const silent = await silentPort(loopback);
    const clock = new FakeClock();
    const { relay, lines } = await loopback.relay(
      config(
        endpoint(
          silent.address,
          { extra_remotes: [await loopback.greeter('second')] },
          { ...noIdleSweep, tcp_timeout: 7 },
        ),
      ),
      { clock },
    );
    const answer = received(await loopback.client(listenOf(relay)));
    await eventually('the dial', () => clock.timers === 2);
    clock.advance(250);
    expect(await answer).to.equal('second');
    expect(lines.some(({ msg }) => msg === 'remote failed, trying the next')).to.equal(false);
    expect(statusOf(relay).health.TCP[0]).to.include({ active: 0, dials: 1, failed: 0, state: 'unknown' });
    await eventually('the check', () => connecting(silent.port) === 1);
    clock.advance(7000);
    const ejected = await loggedLine(lines, 'remote ejected');
    expect(ejected).to.include({ upstream: silent.address });
    expect(JSON.stringify(ejected['err'])).to.contain('REALM_DIAL_TIMEOUT');
    expect(statusOf(relay).health.TCP[0]).to.include({ failed: 1, state: 'unhealthy', reason: 'DialFailed' });
    expect(connecting(silent.port)).to.equal(0);
  });

  it('stays in its turn if it was merely slow', async () => {
    const silent = await silentPort(loopback);
    const clock = new FakeClock();
    const remotes = endpoint(silent.address, { extra_remotes: [await loopback.greeter('second')] });
    const { relay, lines } = await loopback.relay(config(remotes), { clock });
    const answer = received(await loopback.client(listenOf(relay)));
    await eventually('the dial', () => clock.timers >= 2);
    clock.advance(250);
    expect(await answer).to.equal('second');
    silent.wake();
    await eventually('the check', () => statusOf(relay).health.TCP[0]?.state === 'healthy');
    expect(statusOf(relay).health.TCP[0]).to.include({ active: 0, failed: 0 });
    expect(lines.some(({ msg }) => msg === 'remote ejected')).to.equal(false);
    expect(await received(await loopback.client(listenOf(relay)))).to.equal('awake');
  });

  for (const { what, transport, end } of [
    { what: 'a TLS', transport: 'tls;sni=a.example;insecure', end: 'tls;servername=a.example' },
    { what: 'a WebSocket', transport: 'ws;host=a;path=/', end: 'ws;host=a;path=/' },
  ])
    it(`is ejected, too, if it accepts TCP and is silent in ${what} handshake`, async () => {
      const mute = await loopback.tcpRemote((socket) => socket.resume());
      const greeter = await loopback.greeter('second');
      const wrapped = await loopback.relay(config(endpoint(greeter, { listen_transport: end })));
      const clock = new FakeClock();
      const fields = { remote_transport: transport, extra_remotes: [listenOf(wrapped.relay)] };
      const { relay, lines } = await loopback.relay(
        config(endpoint(mute, fields, { ...noIdleSweep, tcp_timeout: 7 })),
        {
          clock,
        },
      );
      const answer = received(await loopback.client(listenOf(relay)));
      await eventually('the dial', () => clock.timers >= 2);
      clock.advance(250);
      expect(await answer).to.equal('second');
      clock.advance(7000);
      expect(await loggedLine(lines, 'remote ejected')).to.include({ upstream: mute });
    });

  const ways: { why: string; fields: Partial<RealmEndpoint>; network?: RealmNetwork; end?: string }[] = [
    { why: 'plain TCP', fields: {} },
    {
      why: 'by TLS',
      fields: { remote_transport: 'tls;sni=a.example;insecure' },
      end: 'tls;servername=a.example',
    },
    { why: 'by WebSocket', fields: { remote_transport: 'ws;host=a;path=/' }, end: 'ws;host=a;path=/' },
    { why: 'with a PROXY header', fields: {}, network: { send_proxy: true, send_proxy_version: 1 } },
  ];
  for (const engine of engines)
    for (const { why, fields, network = {}, end } of ways)
      it(`gets nothing of what the client sends to the one that overtook it: ${why}, engine ${engine.name}`, async () => {
        const [mute, heard] = [[] as Buffer[], [] as Buffer[]];
        // It accepts TCP: with a transport it is the handshake that is silent.
        const first =
          end === undefined
            ? (await silentPort(loopback)).address
            : await loopback.tcpRemote((socket) => socket.on('data', (part: Buffer) => mute.push(part)));
        const plain = await loopback.tcpRemote((socket) =>
          socket.on('data', (part: Buffer) => heard.push(part)),
        );
        const second =
          end === undefined
            ? plain
            : listenOf((await loopback.relay(config(endpoint(plain, { listen_transport: end })))).relay);
        const remotes = endpoint(
          first,
          { ...fields, extra_remotes: [second] },
          { ...network, tcp_timeout: 600 },
        );
        const { relay } = await loopback.relay(config(remotes), { engine });
        const client = await loopback.client(listenOf(relay));
        client.write('hello');
        await eventually('the bytes', () => Buffer.concat(heard).toString().endsWith('hello'));
        expect(Buffer.concat(heard).toString().split('hello').length).to.equal(2);
        expect(Buffer.concat(mute).includes('hello')).to.equal(false);
        expect(statusOf(relay).health.TCP).to.have.nested.property('[0].failed', 0);
        expect(statusOf(relay).health.TCP[1]).to.include({ active: 1, fromClientBytes: 5 });
      });

  it('does not keep the connection of a client that resets', async () => {
    const { address } = await silentPort(loopback);
    const { relay } = await loopback.relay(config(endpoint(address, {}, { tcp_timeout: 0 })));
    const client = await loopback.client(listenOf(relay));
    client.write('x'); // without it this is a check of a load balancer
    await eventually('the byte', () => relay.status().endpoints[0]?.connections.fromClientBytes === 1);
    client.resetAndDestroy();
    await eventually('its end', () => relay.status().endpoints[0]?.connections.failed.client === 1);
    const other = loopback.dial(listenOf(relay));
    await once(other, 'connect');
    const cut = failure(other);
    await relay.close();
    expect(await cut).to.equal('ECONNRESET');
  });
});

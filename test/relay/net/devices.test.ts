import { expect } from 'chai';
import type { RealmEndpoint } from '../../../src/config/realm-document.ts';
import { nodeEngine } from '../../../src/relay/net/engine.ts';
import type { RelayOptions } from '../../../src/relay/server.ts';
import { eventually } from '../../support/eventually.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { testEngine } from '../engines.ts';
import {
  addressText,
  config,
  endpoint,
  failure,
  listenOf,
  loggedLine,
  Loopback,
  split,
  statusOf,
} from '../loopback.ts';

const loopback = new Loopback();
afterEach(() => loopback.closeAll());

const missing = 'no-such-dev0';
const onlyUdp = { no_tcp: true, use_udp: true };

/** Expects that the association of a client fails with a message that has all of `words`. */
async function expectUdpFailure(
  fields: Partial<RealmEndpoint>,
  words: readonly string[],
  options: Partial<RelayOptions> = {},
): Promise<void> {
  const clock = new FakeClock();
  const only = config(endpoint(await loopback.udpEcho(), fields, { ...onlyUdp, udp_timeout: 1 }));
  const { relay, lines } = await loopback.relay(only, { clock, ...options });
  const { host, port } = split(listenOf(relay));
  (await loopback.udp()).send('x', port, host);
  const line = await eventually('the failure', () => {
    clock.advance(1000);
    return lines.find(({ msg }) => msg === 'association failed');
  });
  for (const word of words) expect(JSON.stringify(line['err'])).to.contain(word);
}

if (testEngine.name === 'kernel') {
  describe('relay, network interfaces', () => {
    it('accepts clients of the interface that listen_interface names', async () => {
      const { relay } = await loopback.relay(
        config(endpoint(await loopback.greeter('hi'), { listen_interface: 'lo' })),
      );
      expect(await loopback.greeting(listenOf(relay))).to.equal('hi');
    });

    it('dials by the interface that interface names', async () => {
      const { relay } = await loopback.relay(
        config(endpoint(await loopback.greeter('hi'), { interface: 'lo' })),
      );
      expect(await loopback.greeting(listenOf(relay))).to.equal('hi');
    });

    it('relays UDP by the interfaces that both name', async () => {
      const fields = { listen: '[::]:0', interface: 'lo', listen_interface: 'lo' };
      const { relay } = await loopback.relay(config(endpoint(await loopback.udpEcho(), fields, onlyUdp)));
      const { port } = split(listenOf(relay));
      for (const host of ['127.0.0.1', '::1']) {
        const at = addressText({ address: host, port });
        expect(await loopback.exchangeDatagram(await loopback.udp(host), at, 'x')).to.equal('x');
      }
    });

    it('reports an interface of UDP to listen on that does not exist', async () => {
      const fields = { listen_interface: missing };
      const { relay } = await loopback.relay(config(endpoint('127.0.0.1:1', fields, onlyUdp)));
      expect(statusOf(relay).message).to.contain('ENODEV').and.contain(missing);
    });

    it('reports an interface for datagrams to leave by that does not exist', async () => {
      await expectUdpFailure({ interface: missing }, ['ENODEV', missing]);
    });

    it('reports an interface to listen on that does not exist', async () => {
      const { relay } = await loopback.relay(config(endpoint('127.0.0.1:1', { listen_interface: missing })));
      expect(statusOf(relay).ready).to.equal(false);
      expect(statusOf(relay).message).to.contain('ENODEV').and.contain(missing);
    });

    it('reports an interface to dial by that does not exist', async () => {
      const remote = await loopback.greeter('hi');
      const { relay, lines } = await loopback.relay(config(endpoint(remote, { interface: missing })));
      expect(await failure(loopback.dial(listenOf(relay)))).to.equal('ECONNRESET');
      const line = await loggedLine(lines, 'connection failed');
      expect(JSON.stringify(line['err'])).to.contain('ENODEV').and.contain(missing);
    });
  });
}

describe('relay, network interfaces, engine node', () => {
  it('reports that it cannot listen on one, with the remedy', async () => {
    const only = config(endpoint('127.0.0.1:1', { listen_interface: 'lo' }));
    const { relay } = await loopback.relay(only, { engine: nodeEngine });
    expect(statusOf(relay).message)
      .to.contain('cannot bind to the interface lo')
      .and.contain('--engine kernel');
  });

  it('reports that it cannot dial by one, with the remedy', async () => {
    const only = config(endpoint(await loopback.greeter('hi'), { interface: 'lo' }));
    const { relay, lines } = await loopback.relay(only, { engine: nodeEngine });
    expect(await failure(loopback.dial(listenOf(relay)))).to.equal('ECONNRESET');
    const line = await loggedLine(lines, 'connection failed');
    expect(JSON.stringify(line['err'])).to.contain('use --engine kernel');
  });

  it('reports that it cannot listen on one by UDP, with the remedy', async () => {
    const only = config(endpoint('127.0.0.1:1', { listen_interface: 'lo' }, onlyUdp));
    const { relay } = await loopback.relay(only, { engine: nodeEngine });
    expect(statusOf(relay).message).to.contain('use --engine kernel');
  });

  it('reports that it cannot send datagrams by one, with the remedy', async () => {
    await expectUdpFailure({ interface: 'lo' }, ['use --engine kernel'], { engine: nodeEngine });
  });
});

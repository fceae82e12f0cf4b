import { expect } from 'chai';
import { nodeEngine } from '../../../src/relay/net/engine.ts';
import { testEngine } from '../engines.ts';
import { config, endpoint, failure, listenOf, loggedLine, Loopback, statusOf } from '../loopback.ts';

const loopback = new Loopback();
afterEach(() => loopback.closeAll());

const missing = 'no-such-dev0';

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
});

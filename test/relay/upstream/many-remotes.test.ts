import { expect } from 'chai';
import { FakeClock } from '../../support/fake-clock.ts';
import { freePort } from '../../support/free-port.ts';
import { config, endpoint, listenOf, Loopback, statusOf } from '../loopback.ts';

const loopback = new Loopback();
afterEach(() => loopback.closeAll());

/** Their clock stands still, so that no dial is overtaken by the next one, however slow the machine is. */
describe('relay, 1,000 remotes', () => {
  /** 1,000 addresses of this machine, all with the port of `remote`. */
  function thousand(port: string): string[] {
    return Array.from({ length: 1000 }, (_, index) => {
      return `127.${String(1 + Math.floor(index / 250))}.0.${String(1 + (index % 250))}:${port}`;
    });
  }

  for (const strategy of [undefined, 'leastconnections'] as const)
    it(`serve a client each in turn: ${strategy ?? 'roundrobin'}`, async () => {
      const port = (await loopback.tcpRemote((socket) => socket.end('x'), '0.0.0.0')).split(':')[1] ?? '';
      const [first = '', ...others] = thousand(port);
      const balance = `roundrobin: ${new Array<string>(1000).fill('1').join(', ')}`;
      const fields = { extra_remotes: others, balance, ...(strategy && { strategy }) };
      const { relay } = await loopback.relay(config(endpoint(first, fields)), { clock: new FakeClock() });
      for (let round = 0; round < 20; round += 1)
        await Promise.all(Array.from({ length: 50 }, () => loopback.greeting(listenOf(relay))));
      const dials = statusOf(relay).health.TCP.map((remote) => remote.dials);
      expect(dials.filter((count) => count === 1)).to.have.length(1000);
    });

  it('are all tried before a client is reset, and each is left alone while it is ejected', async () => {
    const [first = '', ...others] = thousand(String(await freePort()));
    const last = await loopback.greeter('last');
    const { relay } = await loopback.relay(config(endpoint(first, { extra_remotes: [...others, last] })), {
      clock: new FakeClock(),
    });
    expect(await loopback.greeting(listenOf(relay))).to.equal('last');
    expect(statusOf(relay).health.TCP.filter(({ failed }) => failed === 1)).to.have.length(1000);
  });
});

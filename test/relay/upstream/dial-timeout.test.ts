import { once } from 'node:events';
import { expect } from 'chai';
import { FakeClock } from '../../support/fake-clock.ts';
import { eventually } from '../../support/eventually.ts';
import { config, endpoint, failure, listenOf, Loopback, noIdleSweep, received } from '../loopback.ts';
import { silentPort } from './silent-port.ts';

const loopback = new Loopback();
afterEach(() => loopback.closeAll());

describe('relay, a remote that does not answer', () => {
  it('is abandoned for the next one after tcp_timeout', async () => {
    const { address: silent } = await silentPort(loopback);
    const clock = new FakeClock();
    const remotes = endpoint(
      silent,
      { extra_remotes: [await loopback.greeter('second')] },
      { ...noIdleSweep, tcp_timeout: 7 },
    );
    const { relay, lines } = await loopback.relay(config(remotes), { clock });
    const answer = received(await loopback.client(listenOf(relay)));
    await eventually('the dial', () => clock.timers === 1);
    clock.advance(7000);
    expect(await answer).to.equal('second');
    const line = lines.find(({ msg }) => msg === 'remote failed, trying the next');
    expect(line).to.deep.include({ upstream: silent });
    expect(JSON.stringify(line?.['err'])).to.contain('REALM_DIAL_TIMEOUT');
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

import { expect } from 'chai';
import { freePort } from '../../support/free-port.ts';
import { eventually } from '../../support/eventually.ts';
import { failure } from '../loopback.ts';
import { loopback, makeFolder, start, web } from './relay-with-workers.ts';

beforeEach(makeFolder);
afterEach(() => loopback.closeAll());

describe('relay, workers, a remote that leads back to the relay', () => {
  it('resets the client as soon as it comes back, in whichever thread', async () => {
    const listen = `127.0.0.1:${String(await freePort())}`;
    const relay = await start([{ name: 'web', listen, remote: listen }]);
    expect(await failure(loopback.dial(listen))).to.equal('ECONNRESET');
    await eventually('the end of all', async () => {
      const { connections, looped } = await web(relay);
      return connections.active === 0 && looped.connections > 0;
    });
    expect((await web(relay)).connections.total).to.equal(1);
  });
});

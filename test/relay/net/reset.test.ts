import { once } from 'node:events';
import { expect } from 'chai';
import { reset } from '../../../src/relay/net/reset.ts';
import { failure, Loopback } from '../loopback.ts';

const loopback = new Loopback();
afterEach(() => loopback.closeAll());

describe('reset', () => {
  it('reaches the peer as ECONNRESET', async () => {
    const { promise, resolve } = Promise.withResolvers<string>();
    const socket = await loopback.client(
      await loopback.tcpRemote((peer) => {
        void failure(peer).then(resolve);
      }),
    );
    reset(socket);
    expect(await promise).to.equal('ECONNRESET');
  });

  it('reaches a peer that has ended its side, too, and not as the end of the stream', async () => {
    const { promise, resolve } = Promise.withResolvers<string>();
    const remote = await loopback.tcpRemote((peer) => {
      peer.end();
      void failure(peer.resume()).then(resolve);
    });
    const socket = await loopback.client(remote);
    await once(socket.resume(), 'end');
    reset(socket);
    expect(await promise).to.equal('ECONNRESET');
  });

  it('closes a socket that was ended and still has data to send, which libuv cannot reset', async () => {
    const socket = await loopback.client(await loopback.tcpRemote((peer) => peer.pause()));
    socket.write(Buffer.alloc(20_000_000));
    socket.end();
    await new Promise(setImmediate); // the shutdown is requested after the write
    const closed = once(socket, 'close');
    reset(socket);
    await closed;
    expect(socket.destroyed).to.equal(true);
  });
});

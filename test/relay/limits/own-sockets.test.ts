import { expect } from 'chai';
import { OwnSockets, type Destination } from '../../../src/relay/limits/own-sockets.ts';
import type { Address } from '../../../src/relay/net/channel.ts';
import { systemClock } from '../../../src/lib/clock.ts';

const local: Address = { address: '127.0.0.1', port: 40_000 };
const service: Address = { address: '127.0.0.1', port: 9000 };

function at(address: string, port: number): Destination {
  return { port, address: () => ({ address, port }) };
}

describe('the sockets of the relay towards remotes', () => {
  const destinations: readonly {
    readonly why: string;
    readonly at: Destination;
    readonly path: readonly string[];
  }[] = [
    { why: 'the remote of the socket', at: at('127.0.0.1', 9000), path: ['a 1'] },
    { why: 'it, as a dual-stack listener reports it', at: at('::ffff:127.0.0.1', 9000), path: ['a 1'] },
    { why: 'another port: the kernel gives a port to both', at: at('127.0.0.1', 8001), path: [] },
    { why: 'the same port of another address', at: at('127.0.0.2', 9000), path: [] },
  ];
  for (const { why, at: destination, path } of destinations) {
    it(`a client with the address of one, connected to ${why}`, () => {
      const sockets = new OwnSockets(systemClock);
      sockets.opened({ local: () => local }, ['a 1'], service);
      expect(sockets.pathOf(local, destination)).to.deep.equal(path);
    });
  }

  it('is read only if it leads to the port that a client of this machine has connected to', () => {
    const sockets = new OwnSockets(systemClock);
    let reads = 0;
    const socket = {
      local: () => {
        reads += 1;
        return local;
      },
    };
    sockets.opened(socket, ['a 1'], service);
    sockets.pathOf({ address: '192.0.2.1', port: 40_000 }, at('127.0.0.1', 9000));
    sockets.pathOf(local, at('127.0.0.1', 8000));
    expect(reads).to.equal(0);
    expect(sockets.pathOf(local, { ...at('127.0.0.1', 9000), port: 0 })).to.deep.equal(['a 1']);
    expect(reads).to.equal(1);
  });

  it('two with one local address and different remotes: each has its path, until it is closed', () => {
    const sockets = new OwnSockets(systemClock);
    const [first, second] = [{ local: () => local }, { local: () => local }];
    sockets.opened(first, ['a 1'], service);
    sockets.opened(second, ['b 2'], { ...service, port: 9001 });
    expect(sockets.pathOf(local, at('127.0.0.1', 9000))).to.deep.equal(['a 1']);
    expect(sockets.pathOf(local, at('127.0.0.1', 9001))).to.deep.equal(['b 2']);
    sockets.closed(second);
    expect(sockets.pathOf(local, at('127.0.0.1', 9000))).to.deep.equal(['a 1']);
    expect(sockets.pathOf(local, at('127.0.0.1', 9001))).to.deep.equal([]);
  });
});

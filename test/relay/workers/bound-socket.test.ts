import { once } from 'node:events';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { expect } from 'chai';
import { bindHandle, type BoundHandle } from '../../../src/relay/workers/bound-socket.ts';
import { errorCode } from '../../../src/lib/errors.ts';
import { failure, Loopback } from '../loopback.ts';

const loopback = new Loopback();
afterEach(() => loopback.closeAll());

function bind(address: string, port: number, ipv6Only = false): BoundHandle {
  const bound = bindHandle(address, port, ipv6Only);
  loopback.onClose(() => {
    bound.close();
  });
  return bound;
}

async function listen(bound: BoundHandle): Promise<Server> {
  const server = createServer((socket) => socket.end('hi')).listen(bound.handle);
  loopback.onClose(() => void server.close());
  await once(server, 'listening');
  return server;
}

function codeOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    return errorCode(error);
  }
  return '';
}

describe('bound handle', () => {
  it('is bound, and listens only once a server uses it', async () => {
    const bound = bind('127.0.0.1', 0);
    const address = `127.0.0.1:${String(bound.port)}`;
    expect(await failure(loopback.dial(address))).to.equal('ECONNREFUSED');
    await listen(bound);
    expect(await loopback.greeting(address)).to.equal('hi');
  });

  it('fails with EADDRINUSE if another socket listens', async () => {
    const server = await loopback.tcpServer(() => undefined);
    const { port } = server.address() as AddressInfo;
    expect(codeOf(() => bind('127.0.0.1', port))).to.equal('EADDRINUSE');
    expect(codeOf(() => bind('::', port))).to.equal('EADDRINUSE');
  });

  it('sets IPV6_V6ONLY as requested', async () => {
    const server = await loopback.tcpServer(() => undefined);
    const { port } = server.address() as AddressInfo;
    expect(bind('::', port, true).port).to.equal(port); // beside an IPv4 socket
  });

  it('fails for an address that this machine does not have', () => {
    expect(codeOf(() => bind('192.0.2.1', 0))).to.equal('EADDRNOTAVAIL');
  });
});

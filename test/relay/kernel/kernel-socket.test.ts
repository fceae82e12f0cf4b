import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { constants } from '../../../src/relay/kernel/constants.ts';
import { Descriptor } from '../../../src/relay/kernel/descriptor.ts';
import { KernelMisuseError, systemError } from '../../../src/relay/kernel/errno.ts';
import { KernelSocket } from '../../../src/relay/kernel/kernel-socket.ts';
import { Pipe } from '../../../src/relay/kernel/pipe.ts';
import {
  setIpv6Only,
  setKeepalive,
  setNoDelay,
  setReuseAddress,
} from '../../../src/relay/kernel/socket-options.ts';
import { eventually } from '../../support/eventually.ts';
import { describeKernel, openFiles } from './support.ts';

const { EAGAIN, SOL_SOCKET, SO_KEEPALIVE, IPPROTO_TCP, IPPROTO_IPV6 } = constants;

describeKernel('sockets of the kernel', () => {
  let open: Descriptor[] = [];
  afterEach(() => {
    for (const each of open) if (each.isOpen) each.close();
    open = [];
  });

  const kept = <T extends Descriptor>(descriptor: T): T => {
    open.push(descriptor);
    return descriptor;
  };
  const pair = (): readonly [KernelSocket, KernelSocket] => {
    const both = KernelSocket.pair();
    both.forEach(kept);
    return both;
  };
  const listening = (address = '127.0.0.1'): KernelSocket => {
    const socket = kept(KernelSocket.open(address, { type: 'stream' }));
    setReuseAddress(socket);
    socket.bind({ address, port: 0 });
    socket.listen(16);
    return socket;
  };
  it('have the table of descriptors grow ahead of need, since that halts a thread', async () => {
    const tableSize = (): number =>
      Number(/^FDSize:\s*(\d+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);
    const before = await openFiles();
    for (let i = 0; i < 64; i += 1) pair();
    expect(tableSize()).to.be.at.least(2048);
    expect((await openFiles()) - before).to.equal(128); // nothing else stays open
  });

  it('carry bytes, and an end, to each other', () => {
    const [a, b] = pair();
    const into = new Uint8Array(16);
    expect(b.receive(into)).to.equal(-EAGAIN);
    expect(a.send(Buffer.from('hello'))).to.equal(5);
    expect(b.receive(into)).to.equal(5);
    expect(Buffer.from(into.subarray(0, 5)).toString()).to.equal('hello');
    expect(a.shutdown()).to.equal(0);
    expect(b.receive(into)).to.equal(0);
  });

  it('report a peer that is gone, and no signal ends the process', () => {
    const [a, b] = pair();
    b.close();
    expect(systemError('write', a.send(Buffer.from('x')))).to.include({ code: 'EPIPE' });
  });

  it('read no more than the view that they are given', () => {
    const [a, b] = pair();
    const memory = Buffer.alloc(16, '.');
    a.send(Buffer.from('0123456789'));
    expect(b.receive(memory.subarray(4, 8))).to.equal(4);
    expect(memory.toString()).to.equal('....0123........');
  });

  it('move bytes through a pipe', () => {
    const [[a, b], [c, d]] = [pair(), pair()];
    const pipe = new Pipe(65_536);
    const into = Buffer.alloc(16);
    a.send(Buffer.from('hello'));
    expect([b.spliceTo(pipe), pipe.held]).to.deep.equal([5, 5]);
    expect([c.spliceFrom(pipe), pipe.held]).to.deep.equal([5, 0]);
    expect(d.receive(into)).to.equal(5);
    expect(into.toString('latin1', 0, 5)).to.equal('hello');
    pipe.close();
  });

  for (const address of ['127.0.0.1', '::1']) {
    it(`connect, and know both addresses, on ${address}`, () => {
      const server = listening(address);
      const client = kept(KernelSocket.open(address, { type: 'stream' }));
      expect(server.waitingClients()).to.equal(0);
      expect(client.connect(server.localAddress())).to.equal(0);
      expect(server.waitingClients()).to.equal(1);
      const accepted = server.accept();
      if (typeof accepted === 'number') throw systemError('accept', accepted);
      kept(accepted.socket);
      expect(accepted.remote).to.deep.equal(client.localAddress());
      expect(client.remoteAddress()).to.deep.equal(server.localAddress());
      expect(client.takeError()).to.equal(0);
      expect(server.accept()).to.equal(-EAGAIN);
    });
  }

  const part = Buffer.alloc(1_048_576);
  /** A client that has sent what the kernel takes, and its peer, which has received nothing. */
  const filled = (): { client: KernelSocket; peer: KernelSocket; sent: number } => {
    const server = listening();
    const client = kept(KernelSocket.open('127.0.0.1', { type: 'stream' }));
    client.connect(server.localAddress());
    const accepted = server.accept();
    if (typeof accepted === 'number') throw systemError('accept', accepted);
    const peer = kept(accepted.socket);
    expect(client.unacknowledged()).to.equal(0);
    let sent = 0;
    for (let count = client.send(part); count > 0; count = client.send(part)) sent += count;
    expect(client.unacknowledged()).to.be.above(0);
    return { client, peer, sent };
  };

  it('know what a peer has not received', async () => {
    const { client, peer, sent } = filled();
    let left = sent;
    await eventually('the peer to have everything', () => {
      const count = peer.receive(part);
      if (count > 0) left -= count;
      return left === 0 && client.unacknowledged() === 0;
    });
  });

  it('have nothing to wait for once the peer has reset the connection', async () => {
    const { client, peer } = filled();
    peer.reset();
    await eventually('the reset', () => client.unacknowledged() === 0);
  });

  it('take options', () => {
    const socket = listening('::1');
    const values = () => [
      socket.option(SOL_SOCKET, SO_KEEPALIVE),
      socket.option(IPPROTO_TCP, constants.TCP_NODELAY),
      socket.option(IPPROTO_TCP, constants.TCP_KEEPIDLE),
      socket.option(IPPROTO_TCP, constants.TCP_KEEPINTVL),
      socket.option(IPPROTO_TCP, constants.TCP_KEEPCNT),
    ];
    setNoDelay(socket);
    setKeepalive(socket, 20_000, 4);
    expect(values()).to.deep.equal([1, 1, 20, 20, 4]);
    const other = kept(KernelSocket.open('::1', { type: 'stream' }));
    setIpv6Only(other, false);
    expect(other.option(IPPROTO_IPV6, constants.IPV6_V6ONLY)).to.equal(0);
    setIpv6Only(other, true);
    expect(other.option(IPPROTO_IPV6, constants.IPV6_V6ONLY)).to.equal(1);
  });

  it('report errors as the modules of Node.js do', () => {
    const taken = listening();
    const where = taken.localAddress();
    const second = kept(KernelSocket.open('127.0.0.1', { type: 'stream' }));
    const fault = (): void => {
      second.bind(where);
    };
    expect(fault)
      .to.throw(Error, `bind EADDRINUSE 127.0.0.1:${String(where.port)}`)
      .that.deep.includes({ code: 'EADDRINUSE', errno: -98, syscall: 'bind', ...where });
  });

  describe('stop a wrong use before the kernel sees it', () => {
    it('of a descriptor that is closed, whose number may belong to another file', () => {
      const [a] = pair();
      a.close();
      const uses: readonly [string, () => unknown][] = [
        ['send', () => a.send(Buffer.from('x'))],
        ['receive', () => a.receive(Buffer.alloc(1))],
        [
          'close',
          () => {
            a.close();
          },
        ],
        [
          'reset',
          () => {
            a.reset();
          },
        ],
        ['release', () => a.release()],
        ['localAddress', () => a.localAddress()],
      ];
      for (const [name, use] of uses) expect(use, name).to.throw(KernelMisuseError, 'closed');
    });

    for (const fd of [-1, 1.5, NaN]) {
      it(`of ${String(fd)} as a descriptor`, () => {
        expect(() => new Descriptor(fd)).to.throw(KernelMisuseError);
      });
    }

    it('of a pipe that holds other bytes, or none', () => {
      const [[a, b], [c]] = [pair(), pair()];
      const pipe = new Pipe(65_536);
      expect(() => c.spliceFrom(pipe)).to.throw(KernelMisuseError, 'empty');
      a.send(Buffer.from('xy'));
      b.spliceTo(pipe);
      expect(() => b.spliceTo(pipe)).to.throw(KernelMisuseError, 'not empty');
      pipe.close();
      expect(() => c.spliceFrom(pipe)).to.throw(KernelMisuseError, 'closed');
    });

    it('of text that is too long for an option', () => {
      const [a] = pair();
      expect(() => a.setTextOption(SOL_SOCKET, constants.SO_BINDTODEVICE, 'x'.repeat(16))).to.throw(
        KernelMisuseError,
      );
    });
  });

  it('leave no file open', async () => {
    const before = await openFiles();
    for (let i = 0; i < 100; i += 1) {
      const [a, b] = KernelSocket.pair();
      const pipe = new Pipe(4096);
      a.close();
      b.reset();
      pipe.close();
    }
    expect(await openFiles()).to.equal(before);
  });
});

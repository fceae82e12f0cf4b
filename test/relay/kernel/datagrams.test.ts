import { expect } from 'chai';
import fc from 'fast-check';
import { constants } from '../../../src/relay/kernel/constants.ts';
import { DatagramPeer, peerLayout, PeerMap } from '../../../src/relay/kernel/datagram-peer.ts';
import {
  anySegmentBytes,
  DatagramSender,
  type DatagramOutlet,
} from '../../../src/relay/kernel/datagram-sender.ts';
import { KernelMisuseError, type Where } from '../../../src/relay/kernel/errno.ts';
import { KernelSocket } from '../../../src/relay/kernel/kernel-socket.ts';
import { PinnedMemory } from '../../../src/relay/kernel/pinned-memory.ts';
import { ReceivedDatagrams } from '../../../src/relay/kernel/received-datagrams.ts';
import {
  receiveMerged,
  receiveWithLocalAddress,
  setBufferBytes,
  setIpv6Only,
} from '../../../src/relay/kernel/socket-options.ts';
import { describeKernel } from './support.ts';

const { EAGAIN, ECONNREFUSED } = { ...constants, ECONNREFUSED: 111 };

type Outlet = DatagramOutlet & { readonly errors: number[]; readonly descriptor: KernelSocket };

describeKernel('datagrams of the kernel', () => {
  let open: KernelSocket[] = [];
  afterEach(() => {
    for (const each of open) if (each.isOpen) each.close();
    open = [];
  });

  const socket = (address: string, isBound = true): KernelSocket => {
    const made = KernelSocket.open(address, { type: 'datagram' });
    open.push(made);
    if (address === '::') setIpv6Only(made, false);
    setBufferBytes(made, 4_000_000);
    if (isBound) made.bind({ address, port: 0 });
    return made;
  };
  const outletOf = (descriptor: KernelSocket, maxSegmentBytes = anySegmentBytes): Outlet => {
    const errors: number[] = [];
    return { descriptor, maxSegmentBytes, errors, onSendError: (number) => errors.push(number) };
  };
  const connectedTo = (where: Where): Outlet => {
    const from = socket(where.address, false);
    expect(from.connect(where)).to.equal(0);
    return outletOf(from);
  };
  /** Everything that waits at `from`. */
  const all = (received: ReceivedDatagrams, from: KernelSocket): Buffer[] => {
    const got: Buffer[] = [];
    const sink = { take: (datagram: Uint8Array) => got.push(Buffer.from(datagram)) };
    for (;;) {
      const count = received.receive(from);
      if (count === -EAGAIN) return got;
      expect(count).to.be.above(0);
      for (let i = 0; i < count; i += 1) received.deliver(i, sink);
    }
  };
  const peerOf = (received: ReceivedDatagrams, at: KernelSocket): DatagramPeer => {
    expect(received.receiveWithPeers(at)).to.equal(1);
    return new DatagramPeer(received.words, received.wordsAt(0));
  };

  const sizes = fc.array(
    fc.oneof(
      { weight: 4, arbitrary: fc.constantFrom(0, 1, 512, 1200) },
      { weight: 1, arbitrary: fc.integer({ min: 0, max: 3000 }) },
    ),
    { minLength: 1, maxLength: 150 },
  );

  for (const { why, merged, segments } of [
    { why: 'one by one', merged: false, segments: 0 },
    { why: 'in runs that the kernel takes apart', merged: false, segments: anySegmentBytes },
    { why: 'in runs that arrive in one piece', merged: true, segments: anySegmentBytes },
  ]) {
    for (const address of ['127.0.0.1', '::1']) {
      it(`of any sizes arrive whole and in order on ${address}, sent ${why}`, () => {
        const received = new ReceivedDatagrams();
        const sender = new DatagramSender(received.data);
        fc.assert(
          fc.property(sizes, fc.boolean(), (lengths, isInPlace) => {
            const to = socket(address);
            if (merged) receiveMerged(to);
            const outlet = connectedTo(to.localAddress());
            outlet.maxSegmentBytes = segments;
            sender.hold();
            const sent = lengths.map((length, index) => {
              const bytes = Buffer.alloc(length, index + 1);
              const place = received.data.bytes.subarray(index * 4096, index * 4096 + length);
              place.set(bytes);
              sender.add(outlet, isInPlace ? place : bytes);
              return bytes;
            });
            sender.release();
            const got = all(received, to);
            expect(got.map(({ length }) => length)).to.deep.equal(lengths);
            expect(Buffer.concat(got).equals(Buffer.concat(sent))).to.equal(true);
            expect([outlet.errors, sender.lost]).to.deep.equal([[], 0]);
            to.close();
            outlet.descriptor.close();
          }),
          { numRuns: 30 },
        );
      });
    }
  }

  for (const { why, listen, client, asked } of [
    { why: 'IPv4', listen: '0.0.0.0', client: '127.0.0.1', asked: '127.0.0.2' },
    { why: 'IPv6', listen: '::', client: '::1', asked: '::1' },
    { why: 'IPv4 on a socket of both families', listen: '::', client: '127.0.0.1', asked: '127.0.0.3' },
  ]) {
    it(`are answered from the address that was asked: ${why}`, () => {
      const received = new ReceivedDatagrams();
      const sender = new DatagramSender(received.data);
      const at = socket(listen);
      receiveWithLocalAddress(at, listen.includes(':'));
      const from = connectedTo({ address: asked, port: at.localAddress().port });
      sender.add(from, Buffer.from('question'));
      const peer = peerOf(received, at);
      const mapped = listen === '::' && client !== '::1' ? '::ffff:' : '';
      expect(peer.where).to.deep.equal({
        address: `${mapped}${client}`,
        port: from.descriptor.localAddress().port,
      });
      expect(peer.asked).to.equal(`${mapped}${asked}`);
      sender.add(outletOf(at), Buffer.from('answer'), peer);
      // A connected socket receives only what comes from where it is connected to
      expect(all(received, from.descriptor).map(String)).to.deep.equal(['answer']);
    });
  }

  it('leave from another address once the host no longer has the one that was asked', () => {
    const received = new ReceivedDatagrams();
    const sender = new DatagramSender(received.data);
    const at = socket('0.0.0.0');
    receiveWithLocalAddress(at, false);
    const words = new Int32Array(peerLayout.words);
    const from = outletOf(socket('127.0.0.1', false));
    from.descriptor.connect({ address: '127.0.0.1', port: at.localAddress().port });
    sender.add(from, Buffer.from('question'));
    words.set(peerOf(received, at).words);
    words[peerLayout.name] = 0x0100_00c6; // 198.0.0.1
    const peer = new DatagramPeer(words, 0);
    const outlet = outletOf(at);
    sender.hold();
    for (const text of ['one', 'two']) sender.add(outlet, Buffer.from(text), peer);
    sender.release();
    expect([peer.hasSource, outlet.errors]).to.deep.equal([false, []]);
    expect(all(received, from.descriptor).map(String)).to.deep.equal(['one', 'two']);
  });

  it('that a run has in one message are sent apart if they do not fit in a packet', () => {
    const received = new ReceivedDatagrams();
    const sender = new DatagramSender(received.data);
    const to = socket('127.0.0.1');
    const outlet = connectedTo(to.localAddress());
    outlet.descriptor.setOption(constants.IPPROTO_IP, 10, 0); // IP_MTU_DISCOVER, IP_PMTUDISC_DONT
    sender.hold();
    for (let i = 0; i < 3; i += 1) sender.add(outlet, Buffer.alloc(20_000, i));
    sender.add(outlet, Buffer.alloc(65_508)); // larger than any datagram of IPv4
    sender.add(outlet, Buffer.from('the last'));
    sender.release();
    expect(all(received, to).map(({ length }) => length)).to.deep.equal([20_000, 20_000, 20_000, 8]);
    expect(outlet.errors).to.deep.equal([]);
  });

  it('are sent although an earlier one was refused, which is reported once', () => {
    const received = new ReceivedDatagrams();
    const sender = new DatagramSender(received.data);
    const gone = socket('127.0.0.1');
    const where = gone.localAddress();
    gone.close();
    const outlet = connectedTo(where);
    sender.add(outlet, Buffer.from('refused'));
    const back = socket('127.0.0.1', false);
    back.bind(where);
    sender.hold();
    for (const text of ['one', 'two']) sender.add(outlet, Buffer.from(text));
    sender.release();
    expect(all(received, back).map(String)).to.deep.equal(['one', 'two']);
    expect(outlet.errors).to.deep.equal([-ECONNREFUSED]);
  });

  it('are lost and counted if their socket has no room', () => {
    const received = new ReceivedDatagrams();
    const sender = new DatagramSender(received.data);
    const [a, b] = KernelSocket.pair('datagram');
    open.push(a, b);
    const outlet = outletOf(a, 0);
    for (let i = 0; sender.lost === 0 && i < 100_000; i += 1) sender.add(outlet, Buffer.from(String(i)));
    expect(sender.lost).to.equal(1);
    expect(outlet.errors).to.deep.equal([]);
    expect(String(all(received, b)[0])).to.equal('0');
  });

  it('of a socket that an error has closed are dropped', () => {
    const received = new ReceivedDatagrams();
    const sender = new DatagramSender(received.data);
    const to = socket('127.0.0.1');
    const outlet: { -readonly [K in keyof DatagramOutlet]: DatagramOutlet[K] } = {
      ...connectedTo(to.localAddress()),
      descriptor: undefined,
    };
    sender.add(outlet, Buffer.from('x'));
    expect(all(received, to)).to.deep.equal([]);
  });

  it('that wait are sent before their socket is closed', () => {
    const received = new ReceivedDatagrams();
    const sender = new DatagramSender(received.data);
    const to = socket('127.0.0.1');
    const outlet = connectedTo(to.localAddress());
    sender.hold();
    sender.add(outlet, Buffer.from('x'));
    sender.flushOf(outlet);
    outlet.descriptor.close();
    sender.release();
    expect(all(received, to).map(String)).to.deep.equal(['x']);
  });

  it('have a header before them, in one message with others', () => {
    const received = new ReceivedDatagrams();
    const sender = new DatagramSender(received.data);
    const to = socket('127.0.0.1');
    const outlet = connectedTo(to.localAddress());
    sender.hold();
    for (const text of ['one', 'two'])
      sender.add(outlet, Buffer.from(text), undefined, Buffer.from('header '));
    sender.release();
    expect(all(received, to).map(String)).to.deep.equal(['header one', 'header two']);
  });

  it('stop a wrong use before the kernel sees it', () => {
    const received = new ReceivedDatagrams(2, 16);
    const sender = new DatagramSender(received.data);
    const to = socket('127.0.0.1');
    const outlet = connectedTo(to.localAddress());
    const sink = { take: () => undefined };
    sender.add(outlet, Buffer.from('x'));
    expect(received.receive(to)).to.equal(1);
    for (const index of [1, 2, -1, 0.5])
      expect(() => {
        received.deliver(index, sink);
      }).to.throw(KernelMisuseError);
    expect(() => {
      sender.add(outlet, Buffer.alloc(200_000));
    }).to.throw(KernelMisuseError);
    const memory = new PinnedMemory(16);
    for (const offset of [-1, 17, NaN])
      expect(() => {
        memory.pointTo(0, memory, offset);
      }).to.throw(KernelMisuseError);
  });
});

describe('peers of datagrams', () => {
  const words = fc.array(fc.integer({ min: -2, max: 2 }), {
    minLength: peerLayout.words,
    maxLength: peerLayout.words,
  });

  it('are found by their words alone, and not once they are deleted', () => {
    fc.assert(
      fc.property(fc.array(words, { maxLength: 60 }), fc.array(fc.nat(59)), (lists, deleted) => {
        const map = new PeerMap<DatagramPeer>();
        const expected = new Map<string, DatagramPeer>();
        for (const list of lists) {
          const key = list.join();
          const memory = Int32Array.from([9, ...list]);
          expect(map.find(memory, 1)).to.equal(expected.get(key));
          if (expected.has(key)) continue;
          const peer = new DatagramPeer(memory, 1);
          map.add(peer);
          expected.set(key, peer);
        }
        for (const index of deleted) {
          const [key, peer] = [...expected][index] ?? [];
          if (key === undefined || peer === undefined) continue;
          map.delete(peer);
          map.delete(peer);
          expected.delete(key);
        }
        for (const list of lists)
          expect(map.find(Int32Array.from(list), 0)).to.equal(expected.get(list.join()));
      }),
    );
  });
});

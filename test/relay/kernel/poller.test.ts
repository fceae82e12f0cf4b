import { spawnSync } from 'node:child_process';
import { expect } from 'chai';
import { constants } from '../../../src/relay/kernel/constants.ts';
import { KernelMisuseError } from '../../../src/relay/kernel/errno.ts';
import { KernelSocket } from '../../../src/relay/kernel/kernel-socket.ts';
import { Poller } from '../../../src/relay/kernel/poller.ts';
import { eventually } from '../../support/eventually.ts';
import { describeKernel, openFiles } from './support.ts';

const { EPOLLIN, EPOLLOUT, EPOLLET, EPOLLRDHUP } = constants;

describeKernel('poller', () => {
  let poller: Poller;
  let sockets: KernelSocket[] = [];
  beforeEach(() => (poller = new Poller()));
  afterEach(async () => {
    await poller.close();
    for (const socket of sockets) if (socket.isOpen) socket.close();
    sockets = [];
  });

  const pair = (): readonly [KernelSocket, KernelSocket] => {
    const both = KernelSocket.pair();
    sockets.push(...both);
    return both;
  };
  /** Watches `socket`. @returns the events so far. */
  const watch = (socket: KernelSocket, events = EPOLLIN | EPOLLET): number[] => {
    const seen: number[] = [];
    poller.add(socket, events, { onEvents: (each) => seen.push(each) });
    return seen;
  };

  it('reports what happens to a descriptor, once with EPOLLET', async () => {
    const [a, b] = pair();
    const seen = watch(b, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
    await eventually('writable', () => seen.length === 1);
    a.send(Buffer.from('x'));
    await eventually('readable', () => seen.length === 2);
    a.shutdown();
    await eventually('its end', () => seen.length === 3);
    expect(seen.map((events) => [events & EPOLLIN, events & EPOLLRDHUP])).to.deep.equal([
      [0, 0],
      [EPOLLIN, 0],
      [EPOLLIN, EPOLLRDHUP],
    ]);
  });

  it('reports nothing of a descriptor that another event of the same batch has closed', async () => {
    const both = [pair(), pair()] as const;
    const seen: number[] = [];
    both.forEach(([, b], index) => {
      poller.add(b, EPOLLIN | EPOLLET, {
        onEvents: () => {
          seen.push(index);
          const other = both[1 - index]?.[1];
          if (other?.isOpen !== true) return;
          poller.forget(other);
          other.close();
          const [, successor] = pair(); // has the number of the closed one, or of its peer
          watch(successor);
        },
      });
    });
    for (const [a] of both) a.send(Buffer.from('x'));
    await eventually('an event', () => seen.length > 0);
    await new Promise(setImmediate);
    expect(seen).to.have.length(1);
  });

  it('reports more than one batch of events', async () => {
    const all = Array.from({ length: 600 }, pair);
    const seen = all.map(([, b]) => watch(b));
    for (const [a] of all) a.send(Buffer.from('x'));
    await eventually('an event of each', () => seen.every(({ length }) => length === 1));
  });

  it('runs what a watcher has started: promises, ticks and work for the next turn', async () => {
    const [a, b] = pair();
    const ran: string[] = [];
    poller.add(b, EPOLLIN | EPOLLET, {
      onEvents: () => {
        void Promise.resolve().then(() => ran.push('promise'));
        process.nextTick(() => ran.push('tick'));
        poller.later({ run: () => ran.push('later') });
      },
    });
    a.send(Buffer.from('x'));
    await eventually('all three', () => ran.length === 3);
    expect([...ran].sort()).to.deep.equal(['later', 'promise', 'tick']);
  });

  it('watches less, and nothing', async () => {
    const [a, b] = pair();
    const seen = watch(b, EPOLLIN);
    poller.change(b, 0);
    a.send(Buffer.from('x'));
    await new Promise(setImmediate);
    expect(seen).to.deep.equal([]);
    poller.change(b, EPOLLIN);
    await eventually('the byte', () => seen.length > 0);
    poller.remove(b);
    expect(poller.watched).to.equal(0);
  });

  it('refuses a descriptor that it watches already, or does not watch', () => {
    const [a, b] = pair();
    watch(a);
    expect(() => watch(a)).to.throw(KernelMisuseError, 'watched already');
    for (const use of ['forget', 'remove'] as const) {
      expect(() => {
        poller[use](b);
      }).to.throw(KernelMisuseError, 'not watched');
    }
    expect(() => {
      poller.change(b, 0);
    }).to.throw(KernelMisuseError, 'not watched');
  });

  it('closes in order, leaves no file open, and refuses what comes later', async () => {
    const before = await openFiles();
    const others = Array.from({ length: 10 }, () => new Poller());
    await Promise.all(others.map((other) => other.close()));
    expect(await openFiles()).to.equal(before);
    const [a] = pair();
    expect(() => {
      others[0]?.add(a, EPOLLIN, { onEvents: () => undefined });
    }).to.throw(KernelMisuseError, 'closed');
    await others[0]?.close();
  });

  /** Runs `body` in a process of its own, with the names of this file in scope. */
  function processWith(body: string): { status: number | null; stdout: string; stderr: string } {
    const room = new URL('../../../src/relay/kernel/', import.meta.url).href;
    const source = `
      const { Poller } = await import('${room}poller.ts');
      const { KernelSocket } = await import('${room}kernel-socket.ts');
      ${body}`;
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      ['--expose-gc', '--input-type=module', '-e', source],
      { encoding: 'utf8' },
    );
    return { status, stdout, stderr };
  }

  it('lets the process end while it watches nothing, and warns of nothing', () => {
    const ended = processWith(`
      const poller = new Poller();
      const [a, b] = KernelSocket.pair();
      poller.add(b, 1, { onEvents: () => { poller.forget(b); b.close(); console.log('read'); } });
      a.send(Buffer.from('x'));`);
    expect(ended).to.deep.equal({ status: 0, stdout: 'read\n', stderr: '' });
  });

  it('makes an error of a watcher an uncaught exception of the process', () => {
    const { status, stderr } = processWith(`
      const poller = new Poller();
      const [a, b] = KernelSocket.pair();
      poller.add(b, 1, { onEvents: () => { poller.forget(b); throw new Error('of a watcher'); } });
      a.send(Buffer.from('x'));`);
    expect(stderr).to.contain('Error: of a watcher');
    expect(status).to.equal(1);
  });

  it('lets every other warning pass', () => {
    const { stderr } = processWith(`process.emitWarning('mine', 'ExperimentalWarning'); new Poller();`);
    expect(stderr).to.contain('ExperimentalWarning: mine').and.not.contain('FFI');
  });

  it('keeps what the kernel writes to, however often garbage is collected', () => {
    const ended = processWith(`
      const poller = new Poller();
      const [a, b] = KernelSocket.pair();
      let left = 200;
      const into = new Uint8Array(8);
      poller.add(b, 1, { onEvents: () => {
        gc();
        if (b.receive(into) !== 1 || into[0] !== left % 256) throw new Error('other bytes');
        if (--left > 0) a.send(Uint8Array.of(left)); else { poller.forget(b); console.log('all'); }
      } });
      gc();
      a.send(Uint8Array.of(left));`);
    expect(ended).to.deep.equal({ status: 0, stdout: 'all\n', stderr: '' });
  });

  for (const how of ['after close()', 'without it, by process.exit']) {
    it(`does not end the process by a signal, ${how}`, () => {
      const end = how === 'after close()' ? 'await poller.close();' : 'process.exit(0);';
      const { status } = processWith(`
        const poller = new Poller();
        const [, b] = KernelSocket.pair();
        poller.add(b, 1, { onEvents: () => undefined });
        ${end}`);
      expect(status).to.equal(0);
    });
  }
});

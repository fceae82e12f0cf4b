import { expect } from 'chai';
import type { Target } from '../../../src/relay/net/channel.ts';
import { Dial, DialError, type DialTarget } from '../../../src/relay/upstream/dial.ts';
import { inOrder } from '../../../src/relay/upstream/remote-order.ts';
import { FakeClock } from '../../support/fake-clock.ts';

const timeoutMs = 5000;
const refused = new Error('refused');

/** A dial of the remotes at ports 1 to `count` of one address, whose attempts the test answers. */
class TriedDial {
  readonly clock = new FakeClock();
  /** What happens, in order, e.g. `connect 1`. */
  readonly events: string[] = [];
  /** Descriptors that are taken beside the one that the dial has. */
  taken = 0;
  readonly #attempts = new Map<number, (error: Error | undefined) => void>();
  readonly #dial: Dial<{ port: number; close: () => void }>;

  /** @param room  how many descriptors may be taken. */
  constructor(count: number, room = Infinity) {
    this.#dial = new Dial({
      clock: this.clock,
      timeoutMs,
      lookup: () => Promise.reject(new Error('no name')),
      through: undefined,
      device: undefined,
      denied: undefined,
      budget: {
        hasRoom: (more) => this.taken + more <= room,
        take: (more) => (this.taken += more),
        release: (fewer) => (this.taken -= fewer),
      },
      connect: (target, onConnected) => this.#connect(target, onConnected),
      onFailedTry: ({ text }) => this.events.push(`left ${text}`),
    });
    const targets = Array.from({ length: count }, (_, index) => this.#target(index + 1));
    this.#dial.connect(inOrder(targets, count), (outcome) => {
      if (outcome === undefined) this.events.push('cancelled');
      else if (outcome instanceof DialError) this.events.push(`no remote, last ${outcome.upstream}`);
      else this.events.push(`connected ${outcome.remote.text}`);
    });
  }

  /** Lets the remote at `port` accept, or refuse. */
  async answer(port: number, error?: Error): Promise<void> {
    this.#attempts.get(port)?.(error);
    await settled();
  }

  async pass(ms: number): Promise<void> {
    await settled();
    this.clock.advance(ms);
    await settled();
  }

  async cancel(): Promise<void> {
    await settled();
    this.#dial.cancel();
    await settled();
  }

  #connect({ port }: Target, onConnected: (error: Error | undefined) => void) {
    this.events.push(`connect ${String(port)}`);
    this.#attempts.set(port, onConnected);
    return {
      port,
      close: () => {
        this.events.push(`close ${String(port)}`);
      },
    };
  }

  #target(port: number): DialTarget {
    const text = String(port);
    const event = (what: string) => (): void => {
      this.events.push(`${what} ${text}`);
    };
    return {
      host: '192.0.2.1',
      ip: { family: 'IPv4', text: '192.0.2.1', bytes: Uint8Array.of(192, 0, 2, 1) } as never,
      port,
      text,
      acquire: () => undefined,
      release: event('release'),
      succeed: event('succeed'),
      overtaken: event('overtaken'),
      fail: event('fail'),
    };
  }
}

/** Resolves when everything that is due without time passing has happened. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

describe('dial', () => {
  it('dials the next remote beside one that has been silent for 250 ms, and takes the first that accepts', async () => {
    const dial = new TriedDial(3);
    await dial.pass(249);
    expect(dial.events).to.deep.equal(['connect 1']);
    await dial.pass(1);
    expect(dial.events).to.deep.equal(['connect 1', 'connect 2']);
    expect(dial.taken).to.equal(1);
    await dial.answer(2);
    expect(dial.events.slice(2)).to.deep.equal([
      'succeed 2',
      'close 1',
      'release 1',
      'overtaken 1',
      'connected 2',
    ]);
    expect(dial.taken).to.equal(0);
    expect(dial.clock.timers).to.equal(0);
  });

  it('gives up the later one without a word of it if the silent one accepts after all', async () => {
    const dial = new TriedDial(3);
    await dial.pass(250);
    await dial.answer(1);
    expect(dial.events.slice(2)).to.have.members(['succeed 1', 'release 2', 'close 2', 'connected 1']);
    expect(dial.taken).to.equal(0);
  });

  it('moves on at once when a remote refuses, also beside a silent one', async () => {
    const dial = new TriedDial(4);
    await settled();
    await dial.answer(1, refused);
    await dial.pass(250);
    await dial.answer(3, refused);
    expect(dial.events.filter((event) => /connect|left/.test(event))).to.deep.equal([
      'connect 1',
      'left 1',
      'connect 2',
      'connect 3',
      'left 3',
      'connect 4',
    ]);
    expect(dial.events).to.include.members(['fail 1', 'fail 3']);
  });

  it('gives each remote its whole timeout', async () => {
    const dial = new TriedDial(2);
    await dial.pass(250);
    await dial.pass(timeoutMs - 250);
    expect(dial.events.slice(2)).to.have.members(['close 1', 'release 1', 'fail 1', 'left 1']);
    await dial.pass(249);
    expect(dial.events).to.not.include('fail 2');
    await dial.pass(1);
    expect(dial.events.at(-1)).to.equal('no remote, last 2');
    expect(dial.events).to.include('fail 2');
    expect([dial.taken, dial.clock.timers]).to.deep.equal([0, 0]);
  });

  it('dials four remotes at a time at most, and the fifth when one of them fails', async () => {
    const dial = new TriedDial(6);
    for (let quarter = 0; quarter < 8; quarter += 1) await dial.pass(250);
    expect(dial.events).to.deep.equal([1, 2, 3, 4].map((port) => `connect ${String(port)}`));
    await dial.answer(2, refused);
    expect(dial.events).to.include('connect 5').and.not.include('connect 6');
    await dial.answer(5);
    expect(dial.events.filter((event) => event.startsWith('overtaken'))).to.deep.equal(
      [1, 3, 4].map((port) => `overtaken ${String(port)}`),
    );
    expect(dial.taken).to.equal(0);
  });

  it('waits for a descriptor before it dials beside a silent remote', async () => {
    const dial = new TriedDial(2, 0);
    await dial.pass(1000);
    expect(dial.events).to.deep.equal(['connect 1']);
    await dial.answer(1, refused);
    expect(dial.events).to.include('connect 2');
    expect(dial.taken).to.equal(0);
  });

  it('closes every attempt when it is cancelled, and counts none as failed', async () => {
    const dial = new TriedDial(3);
    for (let quarter = 0; quarter < 2; quarter += 1) await dial.pass(250);
    await dial.cancel();
    const after = dial.events.slice(3);
    expect(after).to.have.members([
      ...[1, 2, 3].flatMap((port) => [`close ${String(port)}`, `release ${String(port)}`]),
      'cancelled',
    ]);
    expect([dial.taken, dial.clock.timers]).to.deep.equal([0, 0]);
  });

  it('needs no timer for silence if there is no other remote', async () => {
    const dial = new TriedDial(1);
    await settled();
    expect(dial.clock.timers).to.equal(1); // of the timeout
    await dial.answer(1);
    expect(dial.events.at(-1)).to.equal('connected 1');
  });
});

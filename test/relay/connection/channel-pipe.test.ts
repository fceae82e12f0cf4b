import { expect } from 'chai';
import { ChannelPipe } from '../../../src/relay/connection/channel-pipe.ts';
import type { Channel } from '../../../src/relay/net/channel.ts';
import { landingBuffer } from '../../../src/relay/net/read-buffers.ts';
import { memoryBudget } from '../../support/memory-budget.ts';

/** A channel of which only `write` is used. */
function channel(write: (part: Uint8Array) => boolean): Channel {
  return { write } as Partial<Channel> as Channel;
}

describe('channel pipe', () => {
  for (const bytes of [100, landingBuffer.length]) {
    it(`counts ${String(bytes)} bytes as waiting until they are written`, () => {
      const memory = memoryBudget();
      const pipe = new ChannelPipe(memory);
      pipe.writeTo(channel(() => false));
      expect(pipe.take(bytes, landingBuffer)).to.equal(false);
      expect(memory.use.usedBytes).to.be.at.least(bytes);
      pipe.drained();
      expect(memory.use.usedBytes).to.equal(0);
    });

    it(`counts nothing if a write of ${String(bytes)} bytes ends the connection`, () => {
      const memory = memoryBudget();
      const pipe = new ChannelPipe(memory);
      pipe.writeTo(
        channel(() => {
          pipe.release();
          return false;
        }),
      );
      pipe.take(bytes, landingBuffer);
      expect(memory.use.usedBytes).to.equal(0);
    });
  }

  it('gives each direction that waits a copy of its own', () => {
    const waiting: Uint8Array[] = [];
    for (const byte of [1, 2]) {
      const pipe = new ChannelPipe(memoryBudget());
      pipe.writeTo(
        channel((part) => {
          waiting.push(part);
          return false;
        }),
      );
      landingBuffer.fill(byte);
      pipe.take(landingBuffer.length, landingBuffer);
    }
    expect(waiting.map(([first]) => first)).to.deep.equal([1, 2]);
  });
});

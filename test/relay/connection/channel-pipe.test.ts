import { expect } from 'chai';
import { ChannelPipe } from '../../../src/relay/connection/channel-pipe.ts';
import type { Channel } from '../../../src/relay/net/channel.ts';
import { memoryBudget } from '../../support/memory-budget.ts';

/** A channel of which only `write` is used, and where `waitingBytes` wait. */
function channel(write: (part: Uint8Array) => boolean, waitingBytes: number): Channel {
  return { write, waitingBytes } as Partial<Channel> as Channel;
}

describe('channel pipe', () => {
  for (const bytes of [100, 65_536]) {
    it(`counts ${String(bytes)} bytes as waiting until they are written`, () => {
      const memory = memoryBudget();
      const pipe = new ChannelPipe(memory);
      pipe.writeTo(channel(() => false, bytes));
      expect(pipe.take(Buffer.alloc(bytes))).to.equal(false);
      expect(memory.use.usedBytes).to.equal(bytes);
      pipe.drained();
      expect(memory.use.usedBytes).to.equal(0);
    });

    it(`counts ${String(bytes)} bytes that wait without having been shown`, () => {
      const memory = memoryBudget();
      const pipe = new ChannelPipe(memory);
      pipe.writeTo(channel(() => true, bytes));
      pipe.moved(2 * bytes);
      pipe.blocked();
      expect([pipe.bytes, memory.use.usedBytes]).to.deep.equal([2 * bytes, bytes]);
      pipe.release();
      expect(memory.use.usedBytes).to.equal(0);
    });

    it(`counts nothing if a write of ${String(bytes)} bytes ends the connection`, () => {
      const memory = memoryBudget();
      const pipe = new ChannelPipe(memory);
      pipe.writeTo(
        channel(() => {
          pipe.release();
          return false;
        }, bytes),
      );
      pipe.take(Buffer.alloc(bytes));
      expect(memory.use.usedBytes).to.equal(0);
    });
  }
});

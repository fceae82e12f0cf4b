import { EventEmitter } from 'node:events';
import { expect } from 'chai';
import { stopSignals } from '../../src/lib/shutdown.ts';

describe('stop signals', () => {
  it('reports the first and the second, whichever they are', async () => {
    const source = new EventEmitter();
    const { first, second } = stopSignals(source);
    source.emit('SIGINT', 'SIGINT');
    source.emit('SIGTERM', 'SIGTERM');
    source.emit('SIGTERM', 'SIGTERM');
    expect(await Promise.all([first, second])).to.deep.equal(['SIGINT', 'SIGTERM']);
  });
});

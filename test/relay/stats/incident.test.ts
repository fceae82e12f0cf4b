import { expect } from 'chai';
import { Incident } from '../../../src/relay/stats/incident.ts';
import { FakeClock } from '../../support/fake-clock.ts';

describe('episode', () => {
  function kept(): { clock: FakeClock; episode: Incident; told: string[] } {
    const [clock, told]: [FakeClock, string[]] = [new FakeClock(), []];
    const episode = new Incident(clock, {
      started: () => told.push('begins'),
      ended: (count) => told.push(`ends after ${String(count)}`),
    });
    return { clock, episode, told };
  }

  it('is logged when it begins, and once more when nothing has happened for a minute', () => {
    const { clock, episode, told } = kept();
    for (let i = 0; i < 3; i += 1) {
      episode.occurred();
      clock.advance(59_999);
      expect(told).to.deep.equal(['begins']);
    }
    clock.advance(1);
    expect(told).to.deep.equal(['begins', 'ends after 3']);
    episode.occurred();
    expect(told.at(-1)).to.equal('begins');
  });

  it('ends on request, without a timer left, and logs nothing if nothing happened', () => {
    const { clock, episode, told } = kept();
    episode.end();
    episode.occurred();
    episode.end();
    expect([told, clock.timers]).to.deep.equal([['begins', 'ends after 1'], 0]);
  });
});

import { expect } from 'chai';
import { Incident } from '../../../src/relay/stats/incident.ts';
import { FakeClock } from '../../support/fake-clock.ts';

describe('incident', () => {
  function newIncident(): { clock: FakeClock; incident: Incident; lines: string[] } {
    const [clock, lines]: [FakeClock, string[]] = [new FakeClock(), []];
    const incident = new Incident(clock, {
      started: () => lines.push('begins'),
      ended: (count) => lines.push(`ends after ${String(count)}`),
    });
    return { clock, incident, lines };
  }

  it('is logged when it starts, and again when it has not occurred for a minute', () => {
    const { clock, incident, lines } = newIncident();
    for (let i = 0; i < 3; i += 1) {
      incident.occurred();
      clock.advance(59_999);
      expect(lines).to.deep.equal(['begins']);
    }
    clock.advance(1);
    expect(lines).to.deep.equal(['begins', 'ends after 3']);
    incident.occurred();
    expect(lines.at(-1)).to.equal('begins');
  });

  it('ends on request, leaving no timer, and logs nothing if it did not occur', () => {
    const { clock, incident, lines } = newIncident();
    incident.end();
    incident.occurred();
    incident.end();
    expect([lines, clock.timers]).to.deep.equal([['begins', 'ends after 1'], 0]);
  });
});

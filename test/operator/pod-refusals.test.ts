import { expect } from 'chai';
import { newestNote } from '../../src/operator/pod-refusals.ts';

const refusal = 'pods "web-x6jzs" is forbidden: violates PodSecurity "restricted:latest"';
const early = '2026-01-01T00:00:00Z';
const late = '2026-01-01T00:00:01Z';

const cases = [
  { events: [], note: undefined, why: 'nothing is known' },
  {
    events: [{ note: `Error creating: ${refusal}`, deprecatedLastTimestamp: early }],
    note: refusal,
    why: 'a first refusal',
  },
  {
    events: [{ note: `(combined from similar events): Error creating: ${refusal}`, eventTime: early }],
    note: refusal,
    why: 'one of many, which the controller counts in one event',
  },
  {
    events: [
      { note: 'Error creating: quota', deprecatedLastTimestamp: early, series: { lastObservedTime: late } },
      { note: `Error creating: ${refusal}`, eventTime: early },
    ],
    note: 'quota',
    why: 'the newest one, by the end of its series',
  },
];

describe('newestNote', () => {
  for (const { events, note, why } of cases)
    it(`is the server's refusal: ${why}`, () => {
      expect(newestNote(events)).to.equal(note);
    });
});

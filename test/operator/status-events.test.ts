import { expect } from 'chai';
import type { Condition } from '../../src/api/schema/realm-relay.ts';
import { statusEvents } from '../../src/operator/status-events.ts';

describe('statusEvents', () => {
  const condition = (type: string, status: Condition['status'], reason: string): Condition => ({
    type,
    status,
    reason,
    message: 'm',
    lastTransitionTime: 't',
  });
  const ready = condition('Ready', 'True', 'PodsReady');
  const stalled = condition('Stalled', 'True', 'PortConflict');
  const cases: { before: Condition[]; after: Condition[]; events: string[]; why: string }[] = [
    { before: [], after: [stalled], events: ['Warning PortConflict'], why: 'something is wrong' },
    { before: [stalled], after: [stalled], events: [], why: 'still the same is wrong' },
    {
      before: [stalled],
      after: [condition('Stalled', 'True', 'Invalid')],
      events: ['Warning Invalid'],
      why: 'something else is wrong',
    },
    {
      before: [condition('Ready', 'False', 'PodsNotReady')],
      after: [ready],
      events: ['Normal Ready'],
      why: 'all is well',
    },
    {
      before: [ready],
      after: [condition('Ready', 'False', 'PodsNotReady')],
      events: [],
      why: 'Pods come and go',
    },
    {
      before: [],
      after: [condition('Programmed', 'Unknown', 'Paused')],
      events: ['Normal Paused'],
      why: 'paused',
    },
  ];
  for (const { before, after, events, why } of cases) {
    it(why, () => {
      expect(statusEvents(before, after).map(({ type, reason }) => `${type} ${reason}`)).to.deep.equal(
        events,
      );
    });
  }
});

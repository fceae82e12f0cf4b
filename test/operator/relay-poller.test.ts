import { expect } from 'chai';
import { Writable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { type RelayReport, WrongAnswerError } from '../../src/operator/relay-client.ts';
import { type PodReports, RelayPoller } from '../../src/operator/relay-poller.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { FakeClock } from '../support/fake-clock.ts';

const key = 'edge/web';
const target = [{ uid: 'a', address: '192.0.2.1', ready: true }];
const report: RelayReport = { configHash: 'new', configProblem: '', unready: [] };

describe('RelayPoller', () => {
  let clock: FakeClock;
  let poller: RelayPoller;
  let asked: number;
  let news: number;
  let warnings: Record<string, unknown>[];
  let answer: () => Promise<RelayReport>;

  beforeEach(() => {
    [asked, news, warnings] = [0, 0, []];
    const lines = new Writable({
      write: (chunk: Buffer, _encoding, written) => {
        warnings.push(JSON.parse(chunk.toString()) as Record<string, unknown>);
        written();
      },
    });
    clock = new FakeClock();
    answer = () => Promise.reject(new Error('refused'));
    poller = new RelayPoller({
      fetch: () => {
        asked += 1;
        return answer();
      },
      clock,
      log: createLogger('warn', lines),
      onChange: () => (news += 1),
      onPolled: () => undefined,
    });
  });

  afterEach(() => poller.stop());

  function poll(pods = target, subject = 'new', reports: PodReports = poller.reports(key)): void {
    poller.poll(key, { pods, endpoints: ['https'], subject, reports });
  }

  /** Lets time pass in steps, and what is due run to its end after each. */
  async function pass(ms: number): Promise<void> {
    for (let passedMs = 0; passedMs < ms; passedMs += 100) {
      clock.advance(100);
      for (let turns = 0; turns < 4; turns += 1) await turn();
    }
  }

  it('polls once if the first answer is the one waited for', async () => {
    answer = () => Promise.resolve(report);
    poll();
    await pass(300);
    expect([asked, news]).to.deep.equal([1, 1]);
    expect(poller.reports(key).get('a')).to.deep.equal({ report, failures: 0 });
    poll([]);
    await pass(120_000);
    expect(asked).to.equal(1);
    expect(clock.timers).to.equal(0);
  });

  it('polls less and less if nobody answers: some 15 times in ten minutes, and reports it once', async () => {
    poll();
    await pass(600_000);
    expect(asked).to.be.within(14, 26);
    expect(news).to.equal(1);
  });

  it('polls no sooner when the same is requested again', async () => {
    poll();
    for (let told = 0; told < 50; told += 1) {
      poll();
      await pass(100);
    }
    expect(asked).to.be.below(6);
  });

  for (const [what, again] of [
    [
      'another configuration is waited for',
      (): void => {
        poll(target, 'newer');
      },
    ],
    [
      'a Pod has become ready',
      (): void => {
        poll([{ uid: 'a', address: '192.0.2.1', ready: false }]);
      },
    ],
  ] as const) {
    it(`starts over when ${what}`, async () => {
      poll();
      await pass(120_000);
      const before = asked;
      again();
      await pass(300);
      expect(asked).to.equal(before + 1);
    });
  }

  it('keeps the last answer while a Pod gives none', async () => {
    answer = () => Promise.resolve({ ...report, configHash: 'old' });
    poll();
    await pass(300);
    answer = () => Promise.reject(new Error('timeout'));
    await pass(10_000);
    const known = poller.reports(key).get('a');
    expect(known?.report?.configHash).to.equal('old');
    expect(known?.failures).to.be.above(2);
  });

  it('logs once that a Pod answers with something else, until it reports again', async () => {
    answer = () => Promise.reject(new WrongAnswerError('it answered with status 500'));
    poll();
    await pass(60_000);
    expect(asked).to.be.above(4);
    expect(warnings).to.have.lengthOf(1);
    expect(warnings[0]).to.include({ key, uid: 'a' });
    answer = () => Promise.resolve(report);
    await pass(60_000);
    answer = () => Promise.reject(new WrongAnswerError('it answered with status 500'));
    await pass(120_000);
    expect(warnings).to.have.lengthOf(2);
  });

  it('drops an answer that comes after the Pod is of no interest any more', async () => {
    const late = Promise.withResolvers<RelayReport>();
    answer = () => late.promise;
    poll();
    await pass(300);
    poller.forget(key);
    late.resolve(report);
    await pass(300);
    expect(poller.reports(key).size).to.equal(0);
    expect(news).to.equal(0);
  });
});

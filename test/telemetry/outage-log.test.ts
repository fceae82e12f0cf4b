import { Writable } from 'node:stream';
import { expect } from 'chai';
import { RealmError } from '../../src/lib/errors.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { OutageLog } from '../../src/telemetry/outage-log.ts';

class Refused extends RealmError {
  readonly code = 'REALM_TEST';
}

type Line = { level: string; msg: string; kind?: string; err?: { message: string; stack?: string } };

let lines: Line[];
let outage: OutageLog;

beforeEach(() => {
  lines = [];
  const destination = new Writable({
    write: (chunk: Buffer, _encoding, written) => {
      lines.push(JSON.parse(chunk.toString()) as Line);
      written();
    },
  });
  const messages = { failing: 'it fails', working: 'it works again' };
  outage = new OutageLog(createLogger('info', destination), messages, { kind: 'Pod' });
});

describe('OutageLog', () => {
  it('logs each kind of failure once, and once that the outage is over', () => {
    outage.failed(new Refused('web is forbidden'));
    outage.failed(new Refused('other is forbidden'));
    outage.failed(Object.assign(new Error('no connection'), { code: 'ECONNRESET' }));
    outage.failed(Object.assign(new Refused('gone'), { status: 410 }));
    outage.failed(new Refused('web is forbidden'));
    outage.worked();
    outage.worked();
    outage.failed(new Refused('web is forbidden'));
    expect(lines.map(({ level, kind, err, msg }) => [level, kind, err?.message ?? msg])).to.deep.equal([
      ['warn', 'Pod', 'web is forbidden'],
      ['warn', 'Pod', 'no connection'],
      ['warn', 'Pod', 'gone'],
      ['info', 'Pod', 'it works again'],
      ['warn', 'Pod', 'web is forbidden'],
    ]);
  });
});

describe('OutageLog of several subjects', () => {
  it('logs one outage until all work', () => {
    for (const subject of ['a', 'b', 'a']) outage.failed(new Refused('forbidden'), {}, subject);
    for (const subject of ['c', 'a', 'b', 'b']) outage.worked(subject);
    expect(lines.map(({ msg }) => msg)).to.deep.equal(['it fails', 'it works again']);
  });
});

describe('an error in the log', () => {
  const refused = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
  const timeout = new DOMException('no answer', 'TimeoutError');
  const wrongCall = Object.assign(new TypeError('bad argument'), { code: 'ERR_INVALID_ARG_TYPE' });
  const cases: { error: Error; hasStack: boolean; why: string }[] = [
    { error: new Refused('forbidden'), hasStack: false, why: 'one that is thrown on purpose' },
    { error: refused, hasStack: false, why: 'one of the system' },
    { error: timeout, hasStack: false, why: 'a timeout' },
    { error: new TypeError('x is undefined'), hasStack: true, why: 'a mistake of ours' },
    { error: wrongCall, hasStack: true, why: 'a wrong call' },
  ];
  for (const { error, hasStack, why } of cases) {
    it(`${hasStack ? 'has' : 'has no'} stack: ${why}`, () => {
      outage.failed(error);
      const { err } = lines[0] ?? {};
      expect(err?.message).to.equal(error.message);
      expect(err?.stack !== undefined).to.equal(hasStack);
    });
  }
});

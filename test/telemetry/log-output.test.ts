import { closeSync, constants, mkdtempSync, openSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { systemClock } from '../../src/lib/clock.ts';
import { LogOutput } from '../../src/telemetry/log-output.ts';
import { fileTarget, type LogTarget } from '../../src/telemetry/log-target.ts';
import { eventually } from '../support/eventually.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { drained, fill, openFifo } from '../support/fifo.ts';

let folder: string;
let clock: FakeClock;
let closers: (() => void)[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'realm-log-'));
  clock = new FakeClock();
  closers = [];
});

afterEach(() => {
  for (const close of closers) close();
  rmSync(folder, { recursive: true });
});

const options = {
  format: (line: string) => line,
  dropReport: (lines: number, problem: string) => `dropped ${String(lines)}: ${problem}\n`,
};

function reader(name = 'fifo'): number {
  const fd = openFifo(join(folder, name));
  closers.push(() => {
    closeSync(fd);
  });
  return fd;
}

/** An output that opens each of `names` in turn, and the last one again and again. */
async function outputTo(...names: readonly string[]): Promise<LogOutput> {
  const left = [...names];
  const output = new LogOutput({
    ...options,
    clock,
    open: () => fileTarget(join(folder, left.length > 1 ? (left.shift() ?? '') : (left[0] ?? ''))),
  });
  closers.push(() => {
    output.close();
  });
  await output.opened();
  return output;
}

/** The line `index`, of 100 bytes. */
function line(index: number): string {
  return `${String(index).padEnd(99, '.')}\n`;
}

function numbers(text: string): number[] {
  return text.split('\n').flatMap((each) => (/^\d+\./.test(each) ? [Number.parseInt(each, 10)] : []));
}

function contentOf(name: string): string {
  return readFileSync(join(folder, name), 'utf8');
}

describe('log output', () => {
  it('drops lines that a full pipe and the buffer do not hold, and reports their number where they are missing', async () => {
    const fd = reader();
    const output = await outputTo('fifo');
    for (let index = 0; index < 5000; index += 1) output.write(line(index));
    expect(output.droppedLines).to.be.greaterThan(1000);
    const kept = 5000 - output.droppedLines;
    let text = '';
    while (numbers(text).length < kept) {
      text += drained(fd);
      clock.advance(100);
    }
    output.write(line(9999));
    text += drained(fd);
    expect(numbers(text)).to.deep.equal([...Array.from({ length: kept }, (_, index) => index), 9999]);
    expect(text.match(/^dropped .*$/gm)).to.deep.equal([
      `dropped ${String(output.droppedLines)}: lines came faster than they could be written`,
    ]);
    expect(text.indexOf('dropped')).to.be.lessThan(text.indexOf('9999'));
  });

  it('drops a line that is larger than the buffer, and no other', async () => {
    const fd = reader();
    const output = await outputTo('fifo');
    output.write(line(1));
    output.write(`${'x'.repeat(300_000)}\n`);
    output.write(line(2));
    expect(drained(fd)).to.equal(
      `${line(1)}dropped 1: lines came faster than they could be written\n${line(2)}`,
    );
    expect(output.droppedLines).to.equal(1);
  });

  it('drops lines while writing fails, tries again each second, and reports their number and the error', async () => {
    const output = new LogOutput({
      ...options,
      clock,
      open: () => fileTarget(clock.monotonicMs() < 3000 ? '/dev/full' : join(folder, 'log')),
    });
    closers.push(() => {
      output.close();
    });
    await output.opened();
    for (let index = 0; index < 5; index += 1) output.write(line(index));
    expect(output.droppedLines).to.equal(4); // the first one waits
    for (let second = 1; second <= 3; second += 1) {
      clock.advance(1000);
      await output.opened();
    }
    await output.flush(60_000);
    output.write(line(5));
    await output.flush(60_000);
    expect(contentOf('log')).to.equal(
      `${line(0)}dropped 4: ENOSPC: no space left on device, write\n${line(5)}`,
    );
  });

  it('follows a file that is renamed once it is opened again', async () => {
    const output = await outputTo('log');
    output.write(line(1));
    await output.flush(60_000);
    renameSync(join(folder, 'log'), join(folder, 'log.1'));
    output.write(line(2));
    expect(await output.reopen()).to.equal(undefined);
    output.write(line(3));
    await output.flush(60_000);
    expect(contentOf('log.1')).to.equal(line(1) + line(2));
    expect(contentOf('log')).to.equal(line(3));
  });

  it('keeps writing the previous file if it cannot be opened again', async () => {
    const output = await outputTo('log', join('missing', 'log'));
    expect((await output.reopen())?.message).to.match(/^ENOENT/);
    output.write(line(1));
    await output.flush(60_000);
    expect(contentOf('log')).to.equal(line(1));
    expect(output.droppedLines).to.equal(0);
  });

  it('begins another file with a whole line', async () => {
    reader();
    const output = await outputTo('fifo', 'log');
    const long = `${'x'.repeat(100_000)}\n`; // more than the pipe holds
    output.write(long);
    expect(await output.reopen()).to.equal(undefined);
    await output.flush(60_000);
    expect(contentOf('log')).to.equal(long);
  });

  it('writes on where it stopped if it opens the same pipe again', async () => {
    const fd = reader();
    const output = await outputTo('fifo', 'fifo');
    const long = `${'x'.repeat(100_000)}\n`;
    output.write(long);
    const before = drained(fd);
    expect(await output.reopen()).to.equal(undefined);
    expect(before + drained(fd)).to.equal(long);
  });

  it('waits for no disk: what comes meanwhile is buffered, then dropped, and written when the disk answers', async () => {
    const fd = reader();
    fill(fd);
    const output = new LogOutput({ ...options, clock: systemClock, target: silentDisk() });
    for (let index = 0; index < 5000; index += 1) output.write(line(index));
    await output.flush(10);
    expect(output.isStuck).to.equal(true);
    expect(output.droppedLines).to.be.greaterThan(1000);
    let text = '';
    await eventually('the report', () => (text += drained(fd)).includes('dropped'));
    await eventually('an answer', () => !output.isStuck);
  });

  /** Blocks as a disk may: it is written without O_NONBLOCK. */
  function silentDisk(): LogTarget {
    const fd = openSync(join(folder, 'fifo'), constants.O_RDWR);
    closers.push(() => {
      closeSync(fd);
    });
    return { fd, isNonBlocking: false, file: '', close: () => undefined };
  }
});

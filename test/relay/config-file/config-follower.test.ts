import { EventEmitter } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { ConfigFollower } from '../../../src/relay/config-file/config-follower.ts';
import { readConfig, type ConfigSource } from '../../../src/relay/config-file/read-config.ts';
import { createLogger } from '../../../src/telemetry/logger.ts';
import { eventually } from '../../support/eventually.ts';
import { FakeClock } from '../../support/fake-clock.ts';

let folder: string;
let path: string;
const followers: ConfigFollower[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'realm-follower-'));
  path = join(folder, 'config.json');
  writeFileSync(path, 'initial');
});

afterEach(() => {
  for (const follower of followers.splice(0)) follower.stop();
  rmSync(folder, { recursive: true });
});

class MissingFileError extends Error {}

/** A program that follows its file; its clock stands still, so that only SIGHUP makes it read. */
class Program {
  readonly signals = new EventEmitter();
  /** The texts that `apply` was called with, those that it threw for included. */
  readonly attempts: string[] = [];
  readonly applied: string[] = [];
  readonly rejected: string[] = [];
  readonly logged: unknown[] = [];
  /** What `apply` throws for a text. */
  readonly faults = new Map<string, Error>();
  /** Holds `apply` back. */
  ready: Promise<unknown> = Promise.resolve();

  async follow(): Promise<ConfigFollower> {
    const log = createLogger('info', { write: (line) => this.logged.push(JSON.parse(line)) });
    const follower = new ConfigFollower(path, await readConfig(path), {
      log,
      clock: new FakeClock(),
      signals: this.signals,
      apply: (source) => this.#apply(source),
      onRejected: ({ message }) => this.rejected.push(message),
      isRetryable: (error) => error instanceof MissingFileError,
    });
    followers.push(follower);
    follower.start();
    return follower;
  }

  /** Writes the file, if there is something new to write, and requests a reread. */
  reload(text?: string): void {
    if (text !== undefined) writeFileSync(path, text);
    this.signals.emit('SIGHUP');
  }

  async #apply({ texts }: ConfigSource): Promise<void> {
    const text = texts.map((each) => each.text).join('+');
    this.attempts.push(text);
    const fault = this.faults.get(text);
    if (fault !== undefined) throw fault;
    await this.ready;
    this.applied.push(text);
  }
}

describe('config follower', () => {
  it('applies what changed when SIGHUP requests it, and nothing else', async () => {
    const program = new Program();
    await program.follow();
    program.reload();
    program.reload('one');
    await eventually('one', () => program.applied.length > 0);
    program.reload();
    program.reload('two');
    await eventually('two', () => program.applied.length > 1);
    expect(program.attempts).to.deep.equal(['one', 'two']);
    expect([program.rejected, program.logged]).to.deep.equal([[], []]);
  });

  it('applies one configuration at a time, in the order in which they were written', async () => {
    const [slow, quick] = [new Program(), new Program()];
    await slow.follow();
    await quick.follow();
    const { promise, resolve } = Promise.withResolvers<undefined>();
    slow.ready = promise;
    slow.faults.set('wrong', new Error('wrong key'));
    slow.reload('one');
    await eventually('the slow attempt', () => slow.attempts.length > 0);
    slow.reload('wrong');
    quick.reload();
    await eventually('the quick one', () => quick.applied.length > 0);
    expect([slow.attempts, slow.rejected]).to.deep.equal([['one'], []]);
    resolve(undefined);
    await eventually('the rejection', () => slow.rejected.length > 0);
    expect(slow.applied).to.deep.equal(['one']);
  });

  it('logs and reports a configuration that is rejected, and does not retry it', async () => {
    const program = new Program();
    await program.follow();
    program.faults.set('wrong', new Error('wrong key'));
    program.reload('wrong');
    await eventually('the rejection', () => program.rejected.length > 0);
    program.reload();
    program.reload('right');
    await eventually('the right one', () => program.applied.length > 0);
    expect(program.attempts).to.deep.equal(['wrong', 'right']);
    expect(program.rejected).to.deep.equal(['wrong key']);
    expect(program.logged).to.have.length(1);
    expect(program.logged[0]).to.deep.include({ level: 'error', source: path });
  });

  it('reports a file that cannot be read', async () => {
    const program = new Program();
    await program.follow();
    rmSync(path);
    program.reload();
    await eventually('the rejection', () => program.rejected.length > 0);
    expect(program.rejected).to.deep.equal([`${path}: there is no such file: check the path`]);
    expect(program.logged).to.have.length(1);
  });

  it('retries a configuration whose files are missing, and logs each problem once until one is applied', async () => {
    const program = new Program();
    await program.follow();
    const retries = async (count: number): Promise<void> => {
      for (let i = 0; i < count; i += 1) {
        const before = program.rejected.length;
        program.reload();
        await eventually('a rejection', () => program.rejected.length > before);
      }
    };
    writeFileSync(path, 'tls');
    program.faults.set('tls', new MissingFileError('no cert'));
    await retries(3);
    program.faults.set('tls', new MissingFileError('no key'));
    await retries(2);
    program.faults.delete('tls');
    program.reload();
    await eventually('the applied one', () => program.applied.length === 1);
    writeFileSync(path, 'other tls');
    program.faults.set('other tls', new MissingFileError('no key'));
    await retries(2);
    program.faults.clear();
    program.reload('right');
    await eventually('the last one', () => program.applied.length === 2);
    expect(program.rejected.length, 'every attempt is reported').to.be.at.least(7);
    expect(program.logged.map((line) => (line as { err: Error }).err.message)).to.deep.equal([
      'no cert',
      'no key',
      'no key',
    ]);
  });

  it('applies nothing once it is stopped, and still handles SIGHUP, which would kill the process', async () => {
    const [stopped, running] = [new Program(), new Program()];
    const follower = await stopped.follow();
    await running.follow();
    follower.stop();
    stopped.reload('one');
    running.reload();
    await eventually('the one that runs', () => running.applied.length > 0);
    expect(stopped.signals.listenerCount('SIGHUP')).to.equal(1);
    expect(stopped.attempts).to.deep.equal([]);
  });
});

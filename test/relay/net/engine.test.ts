import { spawnSync } from 'node:child_process';
import { expect } from 'chai';
import { once } from 'node:events';
import { describeKernel } from '../kernel/support.ts';
import { eventually } from '../../support/eventually.ts';
import { chooseEngine, nodeEngine } from '../../../src/relay/net/engine.ts';
import { keptLog, Loopback } from '../loopback.ts';
import { RelayProcess } from '../relay-process.ts';

const loopback = new Loopback();
afterEach(() => loopback.closeAll());

/** Chooses an engine in a process whose Node.js has these flags. @returns its name or the error, and what was logged. */
function chosen(flags: readonly string[], choice: string): { name: string; lines: string; stderr: string } {
  const src = new URL('../../../src/', import.meta.url).href;
  const source = `
    const { chooseEngine } = await import('${src}relay/net/engine.ts');
    const { createLogger } = await import('${src}telemetry/logger.ts');
    let lines = '';
    const log = createLogger('info', { write: (line) => (lines += line) });
    const name = await chooseEngine('${choice}', log).then(({ name }) => name, String);
    process.stdout.write(JSON.stringify({ name, lines }));`;
  const child = spawnSync(process.execPath, [...flags, '--input-type=module', '-e', source], {
    encoding: 'utf8',
  });
  return { ...(JSON.parse(child.stdout) as { name: string; lines: string }), stderr: child.stderr };
}

const withoutFfi = ['--no-experimental-ffi'];
const withoutPermission = ['--permission', '--allow-fs-read=*', '--disable-warning=SecurityWarning'];

describe('engine', () => {
  it('is node if that is requested', async () => {
    expect(await chooseEngine('node', keptLog().log)).to.equal(nodeEngine);
  });

  for (const [why, flags, problem] of [
    ['Node.js has no node:ffi', withoutFfi, 'has no node:ffi'],
    ['calls are not permitted', withoutPermission, 'node:ffi cannot be used'],
  ] as const) {
    it(`is node, with a warning that names the reason, if ${why}`, () => {
      const { name, lines, stderr } = chosen(flags, 'auto');
      expect(name).to.equal('node');
      expect(lines).to.contain('kernel engine not available').and.contain(problem);
      expect(stderr).to.equal('');
    });

    it(`is refused with the reason if kernel is requested and ${why}`, () => {
      expect(chosen(flags, 'kernel').name).to.contain('KernelUnavailableError').and.contain(problem);
    });
  }

  describeKernel('where system calls work', () => {
    it('is the kernel by default, without a warning', () => {
      expect(chosen([], 'auto')).to.deep.equal({ name: 'kernel', lines: '', stderr: '' });
    });

    for (const name of ['kernel', 'node']) {
      it(`is reported in the log, in the status and as a metric: ${name}`, async () => {
        const argv = ['-l', '127.0.0.1:0', '-r', await loopback.echo(), '--admin', '127.0.0.1:0'];
        const relay = new RelayProcess([...argv, '--engine', name], [], {}, []);
        loopback.onClose(() => relay.end());
        const { engine, endpoints } = await relay.status();
        expect(engine).to.equal(name);
        expect((await relay.logged('relay started'))['engine']).to.equal(name);
        expect((await relay.get('/metrics')).body).to.contain(`realm_relay_engine_info{engine="${name}"} 1`);
        const client = await loopback.client(endpoints[0]?.listen ?? '');
        expect(await loopback.exchange(client, 'hello')).to.equal('hello');
        client.end();
        await once(client, 'end');
        await eventually(
          'its end',
          async () => (await relay.status()).endpoints[0]?.connections.active === 0,
        );
        expect(relay.stderr).to.equal('');
      });
    }
  });

  it('has to be one that exists', async () => {
    const relay = new RelayProcess(
      ['-l', '127.0.0.1:0', '-r', '127.0.0.1:1', '--engine', 'rust'],
      [],
      {},
      [],
    );
    expect(await relay.ended).to.equal(2);
    expect(relay.stderr).to.contain('--engine: "rust" is not an engine: use auto, kernel, node');
  });
});

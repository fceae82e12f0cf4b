import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { dump } from 'js-yaml';
import { freePort } from '../support/free-port.ts';
import { runCli } from './cli.ts';

describe('realm-operator doctor and top, without a cluster that answers', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'realm-operator-'));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  /** A kubeconfig whose current context, `edge`, is that of a user at `server`. */
  function kubeconfig(server: string, user: object = { token: 'x' }): string {
    const path = join(folder, 'config');
    const context = { cluster: 'c', user: 'u' };
    const config = {
      ...{ apiVersion: 'v1', kind: 'Config', 'current-context': 'edge' },
      clusters: [{ name: 'c', cluster: { server } }],
      users: [{ name: 'u', user }],
      contexts: [{ name: 'edge', context }],
    };
    writeFileSync(path, dump(config));
    return path;
  }

  const plugin = { apiVersion: 'client.authentication.k8s.io/v1', command: '/no/such/plugin' };
  const cases = [
    { why: 'a port that nobody has', user: undefined, says: 'connect ECONNREFUSED' },
    { why: 'a plugin that is missing', user: { exec: plugin }, says: 'spawn /no/such/plugin ENOENT' },
  ];
  for (const command of ['doctor', 'top'])
    for (const { why, user, says } of cases)
      it(`${command}: ${why}`, async () => {
        const server = `https://127.0.0.1:${String(await freePort())}`;
        const path = kubeconfig(server, user);
        const once = command === 'top' ? ['--once'] : [];
        const { code, stdout, stderr } = await runCli([command, '--cluster', '--kubeconfig', path, ...once]);
        expect({ code, stdout }).to.deep.equal({ code: 1, stdout: '' });
        expect(stderr).to.contain(
          `realm-operator ${command}: the API server ${server} of context "edge" cannot be asked (check it, your network and the context of kubectl): ${says}`,
        );
        expect(stderr.trim().split('\n')).to.have.lengthOf(1);
      });

  it('a server that does not speak TLS', async () => {
    const silent = createServer((socket) => socket.end('220 hello\r\n')).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    try {
      const path = kubeconfig(`https://127.0.0.1:${String((silent.address() as AddressInfo).port)}`);
      const { code, stderr } = await runCli(['doctor', '--cluster', '--kubeconfig', path]);
      expect(code).to.equal(1);
      expect(stderr).to.match(
        /^realm-operator doctor: the API server \S+ of context "edge" cannot be asked \(.*\): \S/,
      );
    } finally {
      silent.close();
    }
  });

  it('a kubeconfig that is missing', async () => {
    const { code, stderr } = await runCli(['doctor', '--cluster', '--kubeconfig', join(folder, 'none')]);
    expect(code).to.equal(1);
    expect(stderr).to.contain(
      'none cannot be read (give another one with --kubeconfig or KUBECONFIG): ENOENT',
    );
  });
});

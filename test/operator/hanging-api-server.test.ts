import { once } from 'node:events';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { type ControlPlane, startControlPlane } from '../cluster/control-plane.ts';
import { describeWithCluster } from '../cluster/shared.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/free-port.ts';
import { Edge, spec } from './edge.ts';
import { OperatorProcess } from './operator-process.ts';

/** What an end by SIGTERM may take: as long as a Pod has. It takes half of that on a machine that has time for it. */
const endMs = 30_000;

/** With a control plane of its own, whose API server is stopped and killed under an operator in a process of its own. */
describeWithCluster('operator under which the API server hangs or dies', function () {
  let own: ControlPlane;
  let edge: Edge;
  let folder: string;
  let operator: OperatorProcess;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'realm-operator-hanging-'));
    own = await startControlPlane({
      manifests: ['crds/realmrelays.yaml', 'config/namespace.yaml'],
      controllerManager: false,
    });
  });

  after(async () => {
    own.signalApiServer('SIGCONT');
    await own.stop();
    await rm(folder, { recursive: true });
  });

  async function start(flags: readonly string[] = []): Promise<void> {
    edge = new Edge(own, await own.namespace());
    operator = new OperatorProcess([
      `--kubeconfig=${own.kubeconfig}`,
      `--namespace=${edge.namespace}`,
      ...flags,
    ]);
    await operator.logged('operator ready');
    await edge.applyRelay('web', spec());
    await edge.expectCondition('web', 'Programmed', 'True', 'Programmed');
  }

  afterEach(async () => {
    await operator.end();
    const leases = '/apis/coordination.k8s.io/v1/namespaces/realm-operator-system/leases';
    await own.request('DELETE', `${leases}/realm-operator`); // which it could not release
  });

  const elected = ['--leader-elect', '--lease-namespace=realm-operator-system', '--lease-seconds=15'];

  /** Edits `web` and resolves once all of it is applied. */
  async function expectFollowed(port: number): Promise<void> {
    await edge.applyRelay('web', spec(port));
    await edge.expect('services/web', (seen) => JSON.stringify(seen.spec?.['ports']).includes(String(port)));
    await edge.expectCondition('web', 'Programmed', 'True', 'Programmed');
  }

  /** Resolves with how it ended. @throws Error if that takes longer than it may. */
  async function ends(): Promise<number | string> {
    let end: number | string | undefined;
    void operator.ended.then((how) => (end = how));
    await eventually('the operator ends', () => end !== undefined, { timeoutMs: endMs });
    return end ?? '';
  }

  it('goes on when the API server was killed and came back', async () => {
    await start();
    own.signalApiServer('SIGKILL');
    await operator.logged('watch failed, retrying');
    await own.restartApiServer();
    await expectFollowed(9443);
  });

  it('goes on when the API server hung, was killed and came back', async () => {
    await start();
    own.signalApiServer('SIGSTOP');
    own.signalApiServer('SIGKILL');
    await own.restartApiServer();
    await expectFollowed(9443);
  });

  it('goes on when the API server hung for a while', async () => {
    await start([...elected.slice(0, 2), '--lease-seconds=30']);
    await edge.write('DELETE', 'services/web'); // so that it is at work
    own.signalApiServer('SIGSTOP');
    await operator.logged('failed to renew lease, retrying');
    own.signalApiServer('SIGCONT');
    await expectFollowed(9443);
    expect(operator.messages).not.to.include('lease lost');
  });

  it('waits for an API server that is not there yet, with nothing else to do', async () => {
    const file = join(folder, 'nowhere');
    const port = await freePort();
    const server = `https://127.0.0.1:${String(port)}`;
    const config = {
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'a',
      contexts: [{ name: 'a', context: { cluster: 'a', user: 'a' } }],
      clusters: [{ name: 'a', cluster: { server } }],
      users: [{ name: 'a', user: {} }],
    };
    writeFileSync(file, JSON.stringify(config));
    operator = new OperatorProcess([`--kubeconfig=${file}`, '--namespace=edge']);
    await operator.logged('watch failed, retrying');
    const later = createServer((socket) => socket.destroy()).listen(port, '127.0.0.1');
    await once(later, 'connection'); // it tries again
    later.close();
    operator.kill('SIGTERM');
    expect(await ends()).to.equal(0);
  });

  for (const [flags, why] of [
    [[], 'alone'],
    [elected, 'with a lease'],
    [[...elected.slice(0, 2), '--lease-seconds=300'], 'with a lease that is renewed rarely'],
  ] as const) {
    it(`ends by SIGTERM although the API server hangs: ${why}`, async () => {
      await start(flags);
      await edge.write('DELETE', 'services/web'); // so that it is at work
      own.signalApiServer('SIGSTOP');
      operator.kill('SIGTERM');
      const end = await ends();
      own.signalApiServer('SIGCONT');
      expect(end).to.equal(0);
    });
  }

  it('ends at once by a second SIGTERM', async () => {
    await start();
    own.signalApiServer('SIGSTOP');
    operator.kill('SIGTERM');
    await operator.logged('operator stopping');
    operator.kill('SIGTERM');
    const end = await ends();
    own.signalApiServer('SIGCONT');
    expect(end).to.equal(0);
  });

  it('gives up its lease when the API server hangs for longer, to be started again', async () => {
    await start([...elected.slice(0, 2), '--lease-seconds=5']);
    own.signalApiServer('SIGSTOP');
    await operator.logged('lease lost');
    const end = await ends();
    own.signalApiServer('SIGCONT');
    expect(end).to.equal(1);
  });

  it('ends by SIGTERM while a plugin for credentials hangs', async () => {
    const file = join(folder, 'plugin');
    const exec = {
      apiVersion: 'client.authentication.k8s.io/v1',
      command: 'sleep',
      args: ['600'],
      interactiveMode: 'Never',
    };
    const config = {
      apiVersion: 'v1',
      kind: 'Config',
      'current-context': 'a',
      contexts: [{ name: 'a', context: { cluster: 'a', user: 'a' } }],
      clusters: [{ name: 'a', cluster: { server: 'https://127.0.0.1:1' } }],
      users: [{ name: 'a', user: { exec } }],
    };
    writeFileSync(file, JSON.stringify(config));
    operator = new OperatorProcess([`--kubeconfig=${file}`, '--namespace=edge']);
    await operator.logged('operator started');
    operator.kill('SIGTERM');
    expect(await ends()).to.equal(0);
  });
});

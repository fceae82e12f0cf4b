import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { dump, load } from 'js-yaml';
import { apiVersion, plural } from '../../src/api/schema/realm-relay.ts';
import { describeWithCluster } from '../cluster/shared.ts';
import { realmRelay } from '../support/realm-relays.ts';
import { runCli } from './cli.ts';

describeWithCluster('realm-operator doctor --cluster', (cluster) => {
  let namespace: string;
  beforeEach(async () => {
    namespace = await cluster().namespace();
  });

  async function create(path: string, body: object): Promise<void> {
    const { status, text } = await cluster().request('POST', path, body);
    expect(status, text).to.equal(201);
  }

  async function setStatus(path: string, status: object): Promise<void> {
    const type = 'application/merge-patch+json';
    const answer = await cluster().request('PATCH', `${path}/status`, { status }, type);
    expect(answer.status, answer.text).to.equal(200);
  }

  async function relay(): Promise<string> {
    const folder = `/apis/${apiVersion}/namespaces/${namespace}/${plural}`;
    await create(folder, { ...realmRelay(), metadata: { name: 'web', namespace } });
    return `${folder}/web`;
  }

  async function pod(status: object): Promise<void> {
    const labels = { 'app.kubernetes.io/instance': 'web', 'app.kubernetes.io/component': 'relay' };
    const folder = `/api/v1/namespaces/${namespace}/pods`;
    await cluster().request('POST', `/api/v1/namespaces/${namespace}/serviceaccounts`, {
      metadata: { name: 'default' },
    });
    await create(folder, {
      metadata: { name: 'web-1', labels },
      spec: { containers: [{ name: 'relay', image: 'x' }] },
    });
    await setStatus(`${folder}/web-1`, status);
  }

  function doctor(...argv: readonly string[]) {
    return runCli(['doctor', '--cluster', '--kubeconfig', cluster().kubeconfig, '-n', namespace, ...argv]);
  }

  const time = { lastTransitionTime: '2026-01-31T12:00:00Z', observedGeneration: 1 };

  it('reports credentials that the API server refuses', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'realm-operator-'));
    try {
      const config = load(readFileSync(cluster().kubeconfig, 'utf8')) as { users: { user: object }[] };
      for (const each of config.users) each.user = { token: 'expired' };
      const path = join(folder, 'config');
      writeFileSync(path, dump(config));
      const { code, stderr } = await runCli(['doctor', '--cluster', '--kubeconfig', path]);
      expect(code).to.equal(1);
      expect(stderr).to.match(
        /^realm-operator doctor: the API server https:\S+ of context ".+" refuses the credentials \(sign in again, or renew them\): Unauthorized\n$/,
      );
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('reports a relay that no operator has seen', async () => {
    await relay();
    const { code, stdout } = await doctor();
    expect(code).to.equal(1);
    expect(stdout).to.match(
      new RegExp(
        `^problem +${namespace}/web: no operator has seen it: check that one runs and watches the namespace`,
      ),
    );
  });

  it('reports conditions that are not as they should be, with their message', async () => {
    const path = await relay();
    await setStatus(path, {
      observedGeneration: 1,
      conditions: [
        { ...time, type: 'Accepted', status: 'False', reason: 'PortConflict', message: 'set ipv6Only: true' },
        { ...time, type: 'Ready', status: 'True', reason: 'Ready', message: '' },
      ],
    });
    const { code, stdout } = await doctor('web');
    expect(code).to.equal(1);
    expect(stdout).to.equal(
      `problem   ${namespace}/web: Accepted is False (PortConflict): set ipv6Only: true\n1 problem, 0 warnings, 0 ok\n`,
    );
  });

  it('reports why Pods do not run, each with its remedy', async () => {
    await setStatus(await relay(), { observedGeneration: 1, conditions: [] });
    await pod({
      conditions: [{ type: 'PodScheduled', status: 'False', message: '0/3 nodes are available' }],
      containerStatuses: [
        {
          ...{ name: 'relay', image: 'x', imageID: '', ready: false, restartCount: 3 },
          state: { waiting: { reason: 'ImagePullBackOff', message: 'not found' } },
          lastState: { terminated: { reason: 'OOMKilled', exitCode: 137 } },
        },
      ],
    });
    await create(`/api/v1/namespaces/${namespace}/events`, {
      metadata: { name: 'web-1.a' },
      involvedObject: { kind: 'Pod', name: 'web-1', namespace },
      ...{ type: 'Warning', reason: 'FailedMount', message: 'secret "web-tls" not found' },
    });
    const { stdout } = await doctor();
    const subject = `Pod ${namespace}/web-1`;
    expect(stdout.split('\n').slice(0, 4)).to.deep.equal([
      `problem   ${subject}: is on no node (0/3 nodes are available): free resources, or relax podTemplate.spec`,
      `problem   ${subject}: ImagePullBackOff (not found): correct spec.image, or name the registry credentials in podTemplate.spec.imagePullSecrets`,
      `warning   ${subject}: was restarted 3 times, last after OOMKilled: raise spec.resources.limits.memory, or set network.maxConnections`,
      `problem   ${subject}: FailedMount (secret "web-tls" not found): create the Secret that the message names`,
    ]);
  });

  it('reports a relay that is Ready, none, and one that does not exist', async () => {
    expect((await doctor()).stdout).to.contain('RealmRelays: there is none');
    const missing = await doctor('nope');
    expect(missing).to.include({ code: 1, stdout: '' });
    expect(missing.stderr).to.contain(`there is no RealmRelay "nope" in namespace ${namespace}`);
    await setStatus(await relay(), {
      observedGeneration: 1,
      conditions: [{ ...time, type: 'Ready', status: 'True', reason: 'Ready', message: '' }],
    });
    const { code, stdout } = await doctor();
    expect({ code, stdout }).to.deep.equal({
      code: 0,
      stdout: `ok        ${namespace}/web: is Ready, with 0 Pods\n0 problems, 0 warnings, 1 ok\n`,
    });
  });

  it('is what kubectl realm runs, and so is top', async () => {
    await relay();
    await pod({});
    const folder = mkdtempSync(join(tmpdir(), 'realm-operator-'));
    try {
      const root = join(import.meta.dirname, '../..');
      const plugin = join(folder, 'kubectl-realm');
      copyFileSync(join(root, 'bin/kubectl-realm'), plugin);
      const program = `#!/bin/sh\nexec '${process.execPath}' '${join(root, 'src/cli/main.ts')}' "$@"\n`;
      writeFileSync(join(folder, 'realm-operator'), program);
      chmodSync(join(folder, 'realm-operator'), 0o755);
      const run = (...argv: readonly string[]) =>
        spawnSync(plugin, [...argv, '--kubeconfig', cluster().kubeconfig, '-n', namespace], {
          encoding: 'utf8',
        });
      expect(run('doctor').stdout).to.contain('no operator has seen it');
      expect(run('top', '--once').stdout).to.match(new RegExp(`${namespace}/web-1 .*NO ANSWER`));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { bundle } from '../../tools/build.ts';
import { version } from '../../src/lib/version.ts';
import { describeWithCluster } from '../cluster/shared.ts';
import { childrenOfWeb, Edge, spec, type Seen } from './edge.ts';
import { OperatorProcess } from './operator-process.ts';
import { settledWrites } from './writes.ts';

const olderVersion = '0.0.9';
const versionLabel = 'app.kubernetes.io/version';
const relayImage = '--relay-image=registry.example/realm-relay:test';
const timeoutMs = 90_000;

/** This program under the number of a version before: what changes with nothing but that number. */
describeWithCluster('operator after an upgrade', (cluster) => {
  let folder: string;
  let edge: Edge;
  let operators: OperatorProcess[];

  before(async function () {
    this.timeout(timeoutMs);
    folder = mkdtempSync(join(tmpdir(), 'realm-operator-older-'));
    await bundle({ write: true, folder, version: olderVersion });
  });

  beforeEach(async () => {
    operators = [];
    edge = new Edge(cluster(), await cluster().namespace());
  });

  afterEach(() => Promise.all(operators.map((operator) => operator.end())));

  after(() => rm(folder, { recursive: true }));

  async function start(program?: string): Promise<OperatorProcess> {
    const operator = new OperatorProcess(
      [
        `--kubeconfig=${cluster().kubeconfig}`,
        `--namespace=${edge.namespace}`,
        relayImage,
        '--leader-elect',
        `--lease-namespace=${edge.namespace}`,
        '--lease-seconds=5',
      ],
      program === undefined ? {} : { program },
    );
    operators.push(operator);
    await operator.logged('operator ready');
    return operator;
  }

  const older = (): Promise<OperatorProcess> => start(join(folder, 'realm-operator.js'));

  /** Resolves with the Deployments once every child is of this version. */
  async function expectVersion(wanted: string): Promise<Seen[]> {
    const children = [...childrenOfWeb, 'deployments/roll', 'services/roll', 'configmaps/roll-config'];
    for (const child of children)
      await edge.expect(child, ({ metadata }) => metadata.labels?.[versionLabel] === wanted);
    return Promise.all(['deployments/web', 'deployments/roll'].map((name) => edge.expect(name)));
  }

  const ways: Readonly<Record<string, (before: OperatorProcess) => Promise<unknown>>> = {
    'one after the other': async (before) => {
      before.kill('SIGTERM');
      await before.ended;
      await start();
    },
    'the new one standing by while the older works': async (before) => {
      await start();
      before.kill('SIGTERM');
    },
  };
  for (const [way, upgrade] of Object.entries(ways)) {
    it(`changes nothing of a Deployment but its labels, and so restarts no Pod: ${way}`, async () => {
      const before = await older();
      await edge.applyRelay('web', spec());
      await edge.applyRelay('roll', spec(9443, { updateStrategy: 'Rollout' }));
      const deployments = await expectVersion(olderVersion);

      await upgrade(before);

      const after = await expectVersion(version);
      expect(after.map(({ spec }) => spec)).to.deep.equal(deployments.map(({ spec }) => spec));
      const settled = await settledWrites(cluster(), 1_000);
      expect(await settledWrites(cluster(), 2_000), 'it comes to rest').to.equal(settled);
    }).timeout(timeoutMs);
  }
});

import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { bundle } from '../../tools/build.ts';
import { manager } from '../../src/desired/object-meta.ts';
import { version } from '../../src/lib/version.ts';
import { describeWithCluster } from '../cluster/shared.ts';
import { childrenOfWeb, Edge, spec, type Seen } from './edge.ts';
import { OperatorProcess } from './operator-process.ts';
import { settledWrites } from './writes.ts';

type Metadata = Seen['metadata'] & { readonly managedFields: readonly { readonly manager: string }[] };

const olderVersion = '0.0.9';
const versionLabel = 'app.kubernetes.io/version';
const relayImage = '--relay-image=registry.example/realm-relay:test';

/** This program under the number of a version before: what changes with nothing but that number. */
describeWithCluster('operator after an upgrade', (cluster) => {
  let folder: string;
  let edge: Edge;
  let operators: OperatorProcess[];

  before(async () => {
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

  const startOlder = (): Promise<OperatorProcess> => start(join(folder, 'realm-operator.js'));

  /** Every child, once it is there and nothing more is written. */
  async function children(): Promise<Seen[]> {
    const names = [...childrenOfWeb, 'deployments/roll', 'services/roll', 'configmaps/roll-config'];
    for (const name of names) await edge.expect(name);
    await settledWrites(cluster());
    return Promise.all(names.map((name) => edge.expect(name)));
  }

  const ways: Readonly<Record<string, (before: OperatorProcess) => Promise<OperatorProcess>>> = {
    'one after the other': async (before) => {
      before.kill('SIGTERM');
      await before.ended;
      return start();
    },
    'the new one standing by while the older works': async (before) => {
      const standby = await start();
      before.kill('SIGTERM');
      return standby;
    },
  };
  for (const [way, upgrade] of Object.entries(ways)) {
    it(`writes nothing if nothing but the version changes, and so restarts no Pod: ${way}`, async () => {
      const older = await startOlder();
      await edge.applyRelay('web', spec());
      await edge.applyRelay('roll', spec(9443, { updateStrategy: 'Rollout' }));
      const before = await children();
      expect(before.map(versionOf)).to.deep.equal(before.map(() => olderVersion));
      const settled = await settledWrites(cluster());

      const operator = await upgrade(older);
      await operator.logged('lease acquired');
      // What is written for this one comes after the look at the others, which were there at the start.
      await edge.applyRelay('roll', spec(9444, { updateStrategy: 'Rollout' }));
      await edge.expect('configmaps/roll-config', (child) => versionOf(child) === version);
      await edge.expect('services/roll', (child) => versionOf(child) === version);
      await settledWrites(cluster());

      const after = await children();
      const ofWeb = (children: Seen[]): object[] =>
        children.filter(({ metadata }) => metadata.name.startsWith('web')).map(written);
      expect(ofWeb(after), 'not one field').to.deep.equal(ofWeb(before));
      expect(settled).to.be.above(0);
    });
  }

  /** `child` without what kube-controller-manager writes, which takes its time. */
  function written({ status: _, ...child }: Seen): object {
    const { resourceVersion: __, managedFields, ...metadata } = child.metadata as Metadata;
    return { ...child, metadata, managedFields: managedFields.filter((each) => each.manager === manager) };
  }

  function versionOf({ metadata }: Seen): string | undefined {
    return metadata.labels?.[versionLabel];
  }
});

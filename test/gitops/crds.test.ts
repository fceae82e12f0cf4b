import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { dump } from 'js-yaml';
import { type ControlPlane, startControlPlane } from '../cluster/control-plane.ts';
import type { Finished } from '../cluster/run.ts';
import { describeWithCluster } from '../cluster/shared.ts';
import { examples } from './documents.ts';

/** Those of Argo CD and Flux, as `make cluster` fetches them. */
const crds = join(import.meta.dirname, '..', 'cluster', 'bin', 'crds');
const title = 'GitOps: the examples, where the kinds of Argo CD and Flux are';

if (existsSync(crds)) describeWithCluster(title, suite);
else {
  describe.skip(`${title} (skipped: \`make cluster\` could not fetch them)`, () => {
    it('are taken as they are');
  });
}

function suite(): void {
  let own: ControlPlane;

  before(async () => {
    own = await startControlPlane({ manifests: [crds], controllerManager: false });
    const namespaces = ['argocd', 'flux-system'].map((name) => ({
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name },
    }));
    expect(await applied(...namespaces)).to.include({ code: 0 });
  });

  after(async () => {
    await own.stop();
  });

  function applied(...objects: readonly object[]): Promise<Finished> {
    const flags = ['--server-side', '--validate=strict', '--filename', '-'];
    return own.kubectl(['apply', ...flags], objects.map((object) => dump(object)).join('---\n'));
  }

  for (const example of examples()) {
    it(`${example.kind}/${example.metadata.name} is taken as it is, and then does not differ`, async () => {
      const { stdout, stderr, code } = await applied(example);
      expect(stderr).to.equal('');
      expect(code).to.equal(0);
      expect(stdout).to.match(/ serverside-applied\n$/);
      const text = dump(example);
      const difference = await own.kubectl(['diff', '--server-side', '--filename', '-'], text);
      expect(difference).to.deep.equal({ stdout: '', stderr: '', code: 0 });
    });
  }

  it('refuses a field that none of the kinds has, or the example would prove nothing', async () => {
    for (const example of examples().filter(({ spec }) => spec !== undefined)) {
      const { stderr, code } = await applied({ ...example, spec: { ...example.spec, misspelt: true } });
      expect(stderr, example.kind).to.include('misspelt');
      expect(code).to.equal(1);
    }
  });
}

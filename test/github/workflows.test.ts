import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { expect } from 'chai';
import { load } from 'js-yaml';

const root = join(import.meta.dirname, '..', '..');
const github = join(root, '.github');
const workflows = join(github, 'workflows');
const files = readdirSync(workflows);
const actionlint = join(root, 'test', 'cluster', 'bin', 'actionlint');

function text(...path: string[]): string {
  return readFileSync(join(root, ...path), 'utf8');
}

describe('workflows of GitHub', () => {
  const withActionlint = existsSync(actionlint) ? it : it.skip;
  withActionlint('pass actionlint', () => {
    const paths = files.map((file) => join(workflows, file));
    const { status, stdout } = spawnSync(actionlint, ['-no-color', ...paths], { encoding: 'utf8' });
    expect({ status, stdout }).to.deep.equal({ status: 0, stdout: '' });
  });

  for (const file of files) {
    it(`${file}: pins each action by its commit, and names the version`, () => {
      const used = text('.github', 'workflows', file).match(/\buses: .*/g) ?? [];
      expect(used).to.not.have.length(0);
      for (const line of used) expect(line).to.match(/^uses: [\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
    });

    it(`${file}: grants no right to all of its jobs but to read`, () => {
      const { permissions } = load(text('.github', 'workflows', file)) as {
        permissions: Record<string, string>;
      };
      expect(
        Object.entries(permissions).filter(([name, right]) => name !== 'contents' || right !== 'read'),
      ).to.deep.equal([]);
    });

    it(`${file}: calls only targets that the Makefile has`, () => {
      const targets = [...text('Makefile').matchAll(/^([a-z0-9-]+):/gm)].map(([, name]) => name);
      const calls = [
        ...text('.github', 'workflows', file).matchAll(/^ +(?:- )?(?:run: )?make ((?:[a-z0-9-]+ ?)+)/gm),
      ];
      const called = calls.flatMap(([, names = '']) => names.trim().split(' '));
      expect(targets).to.include.members(called);
    });
  }

  it('release publishes nothing unless a maintainer switches it on', () => {
    type Job = { readonly if?: string; readonly needs?: string };
    const { jobs } = load(text('.github', 'workflows', 'release.yaml')) as { jobs: Record<string, Job> };
    expect(jobs['build']?.if).to.equal("vars.RELEASE == 'on'");
    expect(jobs['publish']?.needs).to.equal('build');
    expect(Object.keys(jobs)).to.deep.equal(['build', 'publish']);
  });
});

describe('issue forms', () => {
  const forms = readdirSync(join(github, 'ISSUE_TEMPLATE')).filter((file) => file !== 'config.yml');
  const kinds = ['checkboxes', 'dropdown', 'input', 'markdown', 'textarea'];

  for (const file of forms)
    it(`${file}: has what GitHub requires of a form`, () => {
      type Field = {
        readonly type: string;
        readonly id?: string;
        readonly attributes?: { readonly label?: string };
      };
      type Form = { readonly name?: string; readonly description?: string; readonly body: readonly Field[] };
      const { name, description, body } = load(text('.github', 'ISSUE_TEMPLATE', file)) as Form;
      expect([name, description]).to.not.include(undefined);
      expect(kinds).to.include.members(body.map(({ type }) => type));
      const ids = body.map(({ id }) => id);
      expect(new Set(ids).size).to.equal(body.length);
      for (const { attributes } of body) expect(attributes?.label).to.be.a('string');
    });

  it('send reports of vulnerabilities elsewhere', () => {
    const config = text('.github', 'ISSUE_TEMPLATE', 'config.yml');
    expect(load(config)).to.have.property('blank_issues_enabled', false);
    expect(config).to.include('/security/advisories/new');
  });
});

describe('renovate.json', () => {
  it('keeps the two packages of Node.js at one version, and pins actions', () => {
    type Rule = { readonly matchPackageNames?: readonly string[]; readonly groupName?: string };
    const { extends: presets, packageRules } = JSON.parse(text('renovate.json')) as {
      extends: string[];
      packageRules: Rule[];
    };
    expect(presets).to.include('helpers:pinGitHubActionDigests');
    const node = packageRules.find(({ groupName }) => groupName === 'Node.js');
    expect(node?.matchPackageNames).to.include('/^node-linux-/');
  });
});

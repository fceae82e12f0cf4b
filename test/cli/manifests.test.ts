import { chmodSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { expect } from 'chai';
import { loadAll } from 'js-yaml';
import { binaries } from '../cluster/binaries.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { runCli } from './cli.ts';

const web = `apiVersion: realm-operator.dev/v1alpha1
kind: RealmRelay
metadata: {name: web, namespace: edge}
spec:
  endpoints:
  - name: https
    listen: {port: 443}
    remotes: [{address: backend, port: 8443}]
`;
const dns = web.replace('name: web', 'name: dns');
const service = 'apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec: {topsecret: 1, topsecret: 2}\n';
const bad = web.replace('443}', '70000}');

const { folder, file } = temporaryFolder();

/** `manifests` as items of a list of `kind`. */
function list(kind: string, ...manifests: readonly string[]): string {
  const items = manifests.map((manifest) => `- ${manifest.trimEnd().replaceAll('\n', '\n  ')}\n`);
  return `apiVersion: v1\nkind: ${kind}\nitems:\n${items.join('')}`;
}

describe('manifests of other kinds', () => {
  it('are skipped and counted by validate, render, and in lists', async () => {
    const text = `${service}---\n${web}---\n${list('List', service, dns)}`;
    const validated = await runCli(['validate', '-'], text);
    expect(validated).to.deep.include({
      code: 0,
      stdout: '2 valid relays, 0 problems, 0 warnings, 2 objects of other kinds skipped\n',
    });
    const rendered = await runCli(['render', '-'], text);
    expect(rendered).to.deep.include({ code: 0, stderr: '2 objects of other kinds skipped\n' });
    expect(loadAll(rendered.stdout)).to.have.length(6);
  });

  it('alone are no relay', async () => {
    const { code, stdout } = await runCli(['validate', '-'], `${service}---\n${service}`);
    expect({ code, stdout }).to.deep.equal({
      code: 1,
      stdout:
        'stdin:2:7: document: is not a RealmRelay: give apiVersion: realm-operator.dev/v1alpha1 and kind: RealmRelay\n' +
        '0 valid relays, 1 problem, 0 warnings, 2 objects of other kinds skipped\n',
    });
  });

  for (const [why, text] of [
    ['a misspelt kind', web.replace('RealmRelay', 'RealmRelais')],
    ['a kind of our group that does not exist', web.replace('RealmRelay', 'Relay')],
    ['no kind', web.replace('kind: RealmRelay\n', '')],
    ['no apiVersion and another kind', 'kind: Service\n'],
  ] as const) {
    it(`are not: ${why}`, async () => {
      const { code, stdout } = await runCli(['validate', '-'], `${web}---\n${text}`);
      expect(code).to.equal(1);
      expect(stdout).to.contain('document: is not a RealmRelay').and.to.not.contain('skipped');
    });
  }

  it('are kustomizations, even if they do not name their kind', async () => {
    file('kustomization.yaml', 'resources: [web.yaml]\n');
    file('web.yaml', web);
    expect((await runCli(['validate', folder()])).stdout).to.contain('1 valid relay, 0 problems');
  });
});

describe('lists of manifests', () => {
  it('are unwrapped, with positions and fields in the file', async () => {
    const { code, stdout } = await runCli(['validate', '-'], list('RealmRelayList', web, bad));
    expect(code).to.equal(1);
    expect(stdout).to.equal(
      'stdin:18:22: items[1].spec.endpoints[0].listen.port: is too large, got 70000: use at most 65535\n' +
        '1 valid relay, 1 problem, 0 warnings\n',
    );
  });

  it('may contain lists', async () => {
    const { stdout } = await runCli(['validate', '-'], list('List', list('List', web), dns));
    expect(stdout).to.equal('2 valid relays, 0 problems, 0 warnings\n');
  });
});

describe('paths of manifests', () => {
  it('are arguments, or values of -f', async () => {
    const path = file('web.yaml', web);
    const { stdout } = await runCli(
      ['validate', path, '-f', file('dns.yaml', dns), '-'],
      web.replace('web', 'www'),
    );
    expect(stdout).to.equal('3 valid relays, 0 problems, 0 warnings\n');
  });

  it('are folders, with -R those inside, too', async () => {
    file('web.yaml', web);
    file('more/dns.yaml', dns);
    file('.git/web.yaml', web);
    expect((await runCli(['validate', folder()])).stdout).to.contain('1 valid relay,');
    expect((await runCli(['validate', '-R', folder()])).stdout).to.equal(
      '2 valid relays, 0 problems, 0 warnings\n',
    );
    expect((await runCli(['validate', '-qRf', folder()])).stdout).to.equal('');
  });

  for (const [path, says] of [
    ['', ':1:1: document: has no path: give a file, a folder, or - for standard input\n'],
    ['https://127.0.0.1:1/web.yaml', 'get it first: curl --fail --location https://127.0.0.1:1/web.yaml | '],
    ['no-such-*.yaml', 'correct the pattern, which no file matches, or remove its quotes\n'],
    ['no-such-file', 'correct the path, its permissions or its size\n'],
  ] as const)
    it(`have a remedy if nothing is there: ${path}`, async () => {
      const { code, stdout } = await runCli(['validate', path]);
      expect(code).to.equal(1);
      expect(stdout).to.contain(says);
    });

  it('are asked for, and standard input once', async () => {
    for (const command of ['validate', 'render', 'standalone']) {
      const none = await runCli([command]);
      expect({ ...none, stderr: none.stderr.split('\n')[0] }).to.deep.equal({
        code: 2,
        stdout: '',
        stderr: `realm-operator ${command}: give the manifests with -f PATH or -k DIR, or as arguments: files, folders, or -`,
      });
    }
    expect(await runCli(['validate', '-', '-'])).to.have.property('code', 2);
  });
});

describe('-k DIR', () => {
  let searched: string | undefined;
  beforeEach(() => {
    searched = process.env['PATH'];
    file('base/web.yaml', web);
    file('base/kustomization.yaml', 'resources: [web.yaml]\n');
    file('edge/kustomization.yaml', 'resources: [../base]\nnamePrefix: eu-\n');
  });
  afterEach(() => {
    process.env['PATH'] = searched;
  });

  /** Puts a program into PATH, alone or in front. */
  function program(name: string, script: string, isAlone = false): void {
    const path = file(`bin/${name}`, `#!/bin/sh\n${script}\n`);
    chmodSync(path, 0o755);
    const bin = dirname(path);
    process.env['PATH'] = isAlone ? bin : [bin, searched].join(delimiter);
  }

  const programs = binaries();
  const withKubectl = typeof programs === 'string' ? it.skip : it;
  withKubectl('reads what kubectl makes of a kustomization', async () => {
    const [kube = '', ...args] = typeof programs === 'string' ? [] : programs.kubectl;
    program('kubectl', `exec ${kube} ${args.join(' ')} "$@"`, true);
    const { code, stdout } = await runCli(['render', '-k', join(folder(), 'edge')]);
    expect(code).to.equal(0);
    expect(stdout).to.contain('name: eu-web');
  });

  it('prefers kustomize, and reports findings in its output', async () => {
    program('kustomize', `test "$1" = build && sed s/443}/0}/ ${join(folder(), 'base/web.yaml')}`);
    const overlay = join(folder(), 'edge');
    const { code, stdout } = await runCli(['validate', '-k', overlay]);
    expect(code).to.equal(1);
    expect(stdout).to.contain(`${overlay}:7:20: spec.endpoints[0].listen.port: is too small`);
  });

  it('reports why a kustomization cannot be built', async () => {
    program('kustomize', 'echo "accumulating resources: no such file" >&2; exit 1');
    const { code, stdout } = await runCli(['validate', '-k', folder()]);
    expect(code).to.equal(1);
    expect(stdout).to.contain(
      `${folder()}:1:1: document: cannot be built by kustomize (accumulating resources: no such file): correct the kustomization`,
    );
  });

  it('names the remedy if neither program is there', async () => {
    process.env['PATH'] = folder();
    const { code, stdout } = await runCli(['validate', '-k', folder()]);
    expect(code).to.equal(1);
    expect(stdout).to.contain(
      `neither kustomize nor kubectl is in PATH: install one of them, or pipe its output: kustomize build ${folder()} | realm-operator validate -`,
    );
  });
});

describe('-o FORMAT', () => {
  const manifest = bad.replace('backend', '127.0.0.1');

  it('json: findings and their numbers', async () => {
    const { code, stdout } = await runCli(['validate', '-o', 'json', '-'], `${service}---\n${manifest}`);
    expect(code).to.equal(1);
    expect(JSON.parse(stdout)).to.deep.equal({
      relays: 0,
      problems: 1,
      warnings: 0,
      skipped: 1,
      findings: [
        {
          ...{
            severity: 'error',
            file: 'stdin',
            line: 12,
            column: 20,
            field: 'spec.endpoints[0].listen.port',
          },
          ...{ problem: 'is too large', value: 70_000, remedy: 'use at most 65535' },
        },
      ],
    });
  });

  it('sarif: a log that code scanning reads, with paths from the working folder', async () => {
    const path = file('a b.yaml', web.replace('backend', '127.0.0.1'));
    const { code, stdout } = await runCli(['validate', '-o', 'sarif', path]);
    expect(code).to.equal(0);
    const log = JSON.parse(stdout) as { version: string; runs: { tool: object; results: object[] }[] };
    expect(log).to.deep.include({ version: '2.1.0' });
    expect(log.runs[0]).to.have.nested.property('tool.driver.rules[1].id', 'manifest-questionable');
    const [result] = log.runs[0]?.results ?? [];
    expect(result).to.have.nested.property('ruleId', 'manifest-questionable');
    expect(result).to.have.property('level', 'warning');
    expect(result).to.have.nested.property('locations[0].physicalLocation.region.startLine', 8);
    expect(result).to.have.nested.property('locations[0].physicalLocation.region.startColumn', 25);
    expect(result)
      .to.have.nested.property('locations[0].physicalLocation.artifactLocation.uri')
      .that.matches(/^file:.*a%20b[.]yaml$/);
  });

  it('github: annotations, whatever a value contains', async () => {
    const text = web.replace('name: web,', 'name: "a%,:b\\n",');
    const { stdout } = await runCli(['validate', '-o', 'github', '-'], text);
    expect(stdout.split('\n')[0]).to.equal(
      '::error file=stdin,line=3,col=18,title=realm-operator::metadata.name: is not valid, got "a%25,:b\\n": use lower-case letters, digits and "-", first a letter, at most 56 characters',
    );
  });

  it('of render: the objects as a list in JSON, problems on standard error', async () => {
    const rendered = await runCli(['render', '-o', 'json', '-'], web);
    const { kind, items } = JSON.parse(rendered.stdout) as { kind: string; items: { kind: string }[] };
    expect([kind, ...items.map((item) => item.kind)]).to.deep.equal([
      'List',
      'ConfigMap',
      'Deployment',
      'Service',
    ]);
    expect(rendered.stderr).to.equal('');
    const refused = await runCli(['render', '-o', 'json', '-'], bad);
    expect(refused).to.deep.include({ code: 1, stdout: '' });
    expect(JSON.parse(refused.stderr)).to.have.property('problems', 1);
  });

  it('is one of its words', async () => {
    const { code, stderr } = await runCli(['validate', '-o', 'xml', '-'], web);
    expect(code).to.equal(2);
    expect(stderr).to.contain(
      '--output: is not one of the allowed words, got "xml": use one of text, json, sarif, github',
    );
  });
});

describe('-q', () => {
  it('prints problems alone', async () => {
    expect(await runCli(['validate', '-q', '-'], `${service}---\n${web}`)).to.deep.equal({
      code: 0,
      stdout: '',
      stderr: '',
    });
    const { code, stdout } = await runCli(['validate', '--quiet', '-'], bad);
    expect({ code, lines: stdout.split('\n').length }).to.deep.equal({ code: 1, lines: 2 });
    expect((await runCli(['render', '-q', '-'], `${service}---\n${web}`)).stderr).to.equal('');
  });
});

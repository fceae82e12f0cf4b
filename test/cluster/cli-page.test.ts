import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect } from 'chai';
import { blocksOf } from '../../tools/docs/blocks.ts';
import { describeWithHelm } from './helm.ts';

const root = join(import.meta.dirname, '..', '..');
const page = 'docs/cli.md';
const blocks = blocksOf(page, readFileSync(join(root, page), 'utf8')).filter(
  ({ attributes }) => attributes['tested-by'] === 'test/cluster/cli-page.test.ts',
);
const lines = blocks.flatMap(({ text }) => text.trim().split('\n'));

const programs = {
  'realm-operator': `exec '${process.execPath}' '${join(root, 'src/cli/main.ts')}' "$@"`,
  helm: `exec '${join(root, 'test/cluster/bin/helm')}' "$@"`,
  kubectl: `exec '${join(root, 'test/cluster/bin/kube')}' kubectl "$@"`,
};

function manifest(name: string, port: number): string {
  const listen = `listen: {address: "::", port: ${String(port)}}`;
  const spec = `spec: {endpoints: [{name: web, ${listen}, remotes: [{address: "2001:db8::10", port: 80}]}]}`;
  return `apiVersion: realm-operator.dev/v1alpha1\nkind: RealmRelay\nmetadata: {name: ${name}}\n${spec}\n`;
}

describeWithHelm('commands of docs/cli.md', () => {
  let folder: string;
  const write = (path: string, text: string, mode = 0o644): void => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text, { mode });
  };

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'realm-operator-'));
    for (const [name, text] of Object.entries(programs)) write(`bin/${name}`, `#!/bin/sh\n${text}\n`, 0o755);
    write('web.yaml', manifest('web', 443));
    write('more/dns.yaml', manifest('dns', 53));
    write('clusters/one/web.yaml', manifest('one', 443));
    write('overlays/edge/kustomization.yaml', 'resources: [web.yaml]\nnamePrefix: edge-\n');
    write('overlays/edge/web.yaml', manifest('web', 443));
    write('charts/web/Chart.yaml', 'apiVersion: v2\nname: web\nversion: 1.0.0\n');
    write('charts/web/templates/web.yaml', manifest('{{ .Release.Name }}', 443));
  });
  after(() => {
    rmSync(folder, { recursive: true });
  });

  for (const line of lines) {
    const [shell = 'bash'] = /\b(?:zsh|fish)\b/.exec(line) ?? [];
    const isThere = spawnSync(shell, ['-c', 'true']).status === 0;
    (isThere ? it : it.skip)(`${line.replace(/ *#.*/, '')} (${shell})`, () => {
      const env = { ...process.env, PATH: `${join(folder, 'bin')}:${process.env['PATH'] ?? ''}` };
      // zsh's own completion has to be loaded before, as the comment on that line states.
      const code = shell === 'zsh' ? `autoload -Uz compinit && compinit -D\n${line}` : line;
      const { status, stdout, stderr } = spawnSync(shell, ['-c', code], {
        cwd: folder,
        env,
        encoding: 'utf8',
        input: manifest('piped', 8443),
      });
      expect({ status, stderr }, stdout).to.deep.equal({ status: 0, stderr: '' });
    });
  }

  it('are all run', () => {
    expect(lines.filter((line) => line.includes('realm-operator'))).to.have.lengthOf(7);
  });
});

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { commandTable } from '../../src/cli/command-table.ts';
import type { CommandText } from '../../src/cli/usage.ts';
import { runCli } from './cli.ts';

const commands: Readonly<Record<string, CommandText>> = commandTable;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'realm-operator-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

/** A test of `shell` that is pending on machines without it. */
function itWith(shell: string, title: string, test: () => Promise<void>): void {
  const isThere = spawnSync(shell, ['-c', 'true']).status === 0;
  (isThere ? it : it.skip)(`${title} (${shell})`, test);
}

async function script(shell: string): Promise<string> {
  const { code, stdout, stderr } = await runCli(['completion', shell]);
  expect({ code, stderr }).to.deep.equal({ code: 0, stderr: '' });
  const path = join(folder, `completion.${shell}`);
  writeFileSync(path, stdout);
  return path;
}

/** What `shell` completes at the end of `line`. */
const completions: Readonly<Record<string, (path: string, line: readonly string[]) => readonly string[]>> = {
  bash: (path, line) => {
    const words = line.map((word) => `'${word}'`).join(' ');
    const code = `source '${path}'; COMP_WORDS=(${words}); COMP_CWORD=${String(line.length - 1)}; _realm_operator; printf '%s\\n' "\${COMPREPLY[@]}"`;
    return run('bash', ['--norc', '-c', code]);
  },
  fish: (path, line) => {
    const words = run('fish', ['--no-config', '-c', `source '${path}'; complete -C '${line.join(' ')}'`]);
    return words.map((word) => word.split('\t')[0] ?? '');
  },
  zsh: (path, line) => zshCompletions({ after: `source '${path}'` }, line),
};

/**
 * What an interactive zsh offers; its completion works only behind a terminal.
 *
 * @param setup  commands before and after compinit.
 */
function zshCompletions(
  setup: { readonly before?: string; readonly after?: string },
  line: readonly string[],
): readonly string[] {
  const offers = join(folder, 'offers');
  writeFileSync(offers, '');
  const commands = [
    'PROMPT=',
    `cd '${folder}'`,
    setup.before ?? '',
    `autoload -U compinit; compinit -u -d '${folder}/dump'`,
    setup.after ?? '',
    `compadd() {
      if [[ \${@[1,(i)(-|--)]} != *-(O|A|D)* ]]; then
        local -a offered; builtin compadd -A offered "$@"; print -rl -- $offered >>'${offers}'
      fi
      builtin compadd "$@"
    }`,
    'finish() { exit }; comppostfuncs=(finish)',
    `zstyle ':completion:*' insert-tab false; bindkey '^I' complete-word`,
  ];
  const terminal = join(folder, 'terminal.zsh');
  const ended = `zpty -r shell output '*shell has not ended*' || true`;
  const code = `zmodload zsh/zpty\nzpty shell zsh -f -i\nzpty -w shell "$1"\nzpty -w -n shell "$2"$'\\t'\n${ended}\n`;
  writeFileSync(terminal, code);
  run('zsh', ['-f', terminal, commands.join('\n'), line.join(' ')]);
  return readFileSync(offers, 'utf8')
    .split('\n')
    .filter((word) => word !== '');
}

function run(shell: string, args: readonly string[]): string[] {
  const { stdout, stderr } = spawnSync(shell, args, { cwd: folder, encoding: 'utf8' });
  expect(stderr).to.equal('');
  return stdout.split('\n').filter((word) => word !== '');
}

const cases = [
  { why: 'commands', line: [''], some: ['operator', 'validate', 'completion', 'version'] },
  { why: 'the rest of a command', line: ['va'], all: ['validate'] },
  { why: 'flags', line: ['validate', '--'], some: ['--filename', '--strict', '--output', '--quiet'] },
  { why: 'the rest of a flag', line: ['render', '--relay-i'], all: ['--relay-image'] },
  { why: 'values of a flag', line: ['validate', '-o', ''], all: ['github', 'json', 'sarif', 'text'] },
  { why: 'the rest of a value', line: ['operator', '--log-level', 'de'], all: ['debug'] },
  { why: 'shells', line: ['completion', ''], all: ['bash', 'fish', 'zsh'] },
  { why: 'files as arguments', line: ['validate', 'we'], all: ['web.yaml'] },
  { why: 'files as values', line: ['standalone', '-f', 'we'], all: ['web.yaml'] },
  { why: 'flags of Realm', line: ['relay', '--lis'], some: ['--listen', '--listen-interface'] },
];

describe('realm-operator completion', () => {
  for (const [shell, complete] of Object.entries(completions)) {
    for (const { why, line, some, all } of cases) {
      itWith(shell, `completes ${why}`, async () => {
        const path = await script(shell);
        writeFileSync(join(folder, 'web.yaml'), '');
        const words = complete(path, ['realm-operator', ...line]).toSorted();
        if (all !== undefined) expect(words).to.deep.equal(all);
        else expect(words).to.include.members(some);
      });
    }
  }

  for (const shell of ['bash', 'zsh', 'fish'])
    itWith(shell, 'is a script without errors', async () => {
      const { status, stderr } = spawnSync(shell, ['-n', await script(shell)], { encoding: 'utf8' });
      expect({ status, stderr }).to.deep.equal({ status: 0, stderr: '' });
    });

  itWith('zsh', 'completes from a folder of functions, as packages install it', async () => {
    renameSync(await script('zsh'), join(folder, '_realm-operator'));
    expect(zshCompletions({ before: `fpath=('${folder}' $fpath)` }, ['realm-operator', 'va'])).to.deep.equal([
      'validate',
    ]);
  });

  it('bash: completes behind "=", and for the plugin of kubectl', async () => {
    const path = await script('bash');
    expect(completions['bash']?.(path, ['realm-operator', 'validate', '--output', '=', 'sa'])).to.deep.equal([
      'sarif',
    ]);
    const registered = run('bash', [
      '--norc',
      '-c',
      `source '${path}'; complete -p kubectl-realm realm-operator`,
    ]);
    expect(registered).to.have.length(2);
  });

  it('names every command and flag for each shell', async () => {
    for (const shell of ['bash', 'zsh', 'fish']) {
      const { stdout } = await runCli(['completion', shell]);
      for (const [name, { options }] of Object.entries(commands)) {
        expect(stdout, shell).to.contain(name);
        for (const flag of Object.keys(options)) expect(stdout, `${shell} ${name}`).to.contain(flag);
      }
    }
  });

  it('is for a shell that it knows', async () => {
    for (const argv of [['completion'], ['completion', 'tcsh'], ['completion', 'bash', 'zsh']])
      expect((await runCli(argv)).code).to.equal(2);
    expect((await runCli(['completion', 'tcsh'])).stderr).to.contain('bash, zsh, fish');
  });
});

describe('the table of commands', () => {
  it('suggests the command that was meant', async () => {
    const { code, stderr } = await runCli(['validte']);
    expect(code).to.equal(2);
    expect(stderr).to.match(
      /^realm-operator: unknown command "validte": did you mean "validate"\?\n\nUsage:/,
    );
    for (const argv of [[], ['']])
      expect((await runCli(argv)).stderr).to.match(/^realm-operator: give a command\n\nUsage:/);
  });

  it('has every command in the overview, and a help for each', async () => {
    const { stdout } = await runCli(['help']);
    for (const [name, { summary, options }] of Object.entries(commands)) {
      expect(stdout).to.match(new RegExp(`^  ${name} +${summary.slice(0, 12)}`, 'm'));
      const help = await runCli([name, '--help']);
      expect(help).to.include({ code: 0, stderr: '' });
      expect(help.stdout).to.match(new RegExp(`^Usage: realm-operator ${name} `));
      for (const flag of Object.keys(options)) expect(help.stdout, name).to.contain(`--${flag}`);
      if (name === 'relay') continue; // its help is that of Realm
      for (const line of help.stdout.split('\n')) expect(line.length, line).to.be.at.most(130);
    }
  });
});

describe('standard output', () => {
  let program: string;
  beforeEach(() => {
    program = join(folder, 'realm-operator');
    const main = join(import.meta.dirname, '../../src/cli/main.ts');
    writeFileSync(program, `#!/bin/sh\nexec '${process.execPath}' '${main}' "$@"\n`, { mode: 0o755 });
  });

  it('ends without a word if its reader leaves early', () => {
    const relay = (name: string): string =>
      `apiVersion: realm-operator.dev/v1alpha1\nkind: RealmRelay\nmetadata: {name: ${name}}\nspec:\n  endpoints:\n  - {name: a, listen: {port: 443}, remotes: [{address: b, port: 1}]}\n`;
    const path = join(folder, 'many.yaml');
    writeFileSync(path, Array.from({ length: 200 }, (_, index) => relay(`r${String(index)}`)).join('---\n'));
    const line = `'${program}' render '${path}' | head -n 1; echo "code \${PIPESTATUS[0]}"`;
    const { stdout, stderr } = spawnSync('bash', ['-c', line], { encoding: 'utf8' });
    expect({ stdout, stderr }).to.deep.equal({ stdout: 'apiVersion: v1\ncode 0\n', stderr: '' });
  });

  it('is named if it is on a full disk', () => {
    const { status, stderr } = spawnSync('bash', ['-c', `'${program}' help >/dev/full`], {
      encoding: 'utf8',
    });
    expect(status).to.equal(1);
    expect(stderr).to.equal(
      'realm-operator: standard output cannot be written: ENOSPC: no space left on device, write\n',
    );
  });
});

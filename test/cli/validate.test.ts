import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { loadAll } from 'js-yaml';
import { desiredObjects } from '../../src/desired/desired-objects.ts';
import { parsed } from '../support/realm-relays.ts';
import type { RealmRelay } from '../../src/api/schema/realm-relay.ts';
import { defaultDeniedDestinations } from '../../src/desired/platform.ts';
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

const { folder, file } = temporaryFolder();

describe('realm-operator validate', () => {
  it('takes files, folders and standard input, several documents each', async () => {
    file('dns.yml', dns);
    file('notes.txt', 'not a manifest');
    const { code, stdout } = await runCli(
      ['validate', '-f', folder(), '-f', '-'],
      `${web}---\n${web.replace('web', 'www')}`,
    );
    expect({ code, stdout }).to.deep.equal({ code: 0, stdout: '3 valid relays, 0 problems, 0 warnings\n' });
  });

  for (const [what, text] of [
    ['a shadow file', 'root:$y$j9T$topsecret:19000:0:99999:7:::\nbin:*:19000::::::\n'],
    ['a private key', '-----BEGIN PRIVATE KEY-----\ntopsecret\n-----END PRIVATE KEY-----\n'],
    ['another kind', 'apiVersion: v1\nkind: topsecret\ntopsecret: topsecret\n'],
    ['an alias', 'a: *topsecret\n'],
    ['a tag', 'a: !topsecret!x 1\n'],
    ['a tag of strange characters', 'a: !<topsecret{> 1\n'],
    ['a key that is twice there', 'topsecret: 1\ntopsecret: 2\n'],
    ['an address without quotes', 'a: ::topsecret\n'],
    ['a list', '[topsecret]\n'],
  ] as const) {
    it(`prints nothing of ${what} that a manifest is a link to`, async () => {
      const path = join(folder(), 'web.yaml');
      symlinkSync(file('target', text), path);
      const { code, stdout } = await runCli(['validate', '-f', path]);
      expect(code).to.equal(1);
      expect(stdout)
        .to.match(/web.yaml:[12]:[0-9]+: document: is not (a RealmRelay|YAML)/)
        .and.to.not.contain('topsecret');
    });
  }

  it('reads no device without an end', async () => {
    const path = join(folder(), 'web.yaml');
    symlinkSync('/dev/zero', path);
    const { code, stdout } = await runCli(['validate', '-f', path]);
    expect(code).to.equal(1);
    expect(stdout).to.contain('cannot be read (it is larger than 12582912 bytes)');
  });

  it('prints 1,000 problems of a file, and how many more there are', async () => {
    const keys = Array.from({ length: 3_000 }, (_, at) => `  key${String(at)}: 1\n`).join('');
    const path = file('web.yaml', `${web.replace('443}', '70000}')}${keys}`);
    const other = file('dns.yaml', dns.replace('443}', '70000}'));
    const { code, stdout } = await runCli(['validate', '-f', path, '-f', other]);
    expect(code).to.equal(1);
    const lines = stdout.split('\n');
    expect(lines).to.have.lengthOf(1_004);
    expect(lines[1_000]).to.equal(`${path}:1:1: document: has 2001 more problems: correct those above first`);
    expect(lines[1_001]).to.contain('dns.yaml:7:20: spec.endpoints[0].listen.port');
  });

  it('renders an endpoint that is called as a member of every object', async () => {
    const path = file('web.yaml', web.replace('name: https', 'name: constructor'));
    const { code, stdout } = await runCli(['render', '-f', path]);
    expect(code).to.equal(0);
    expect(stdout)
      .to.contain('constructor')
      .and.to.not.match(/nodePort|[.]nan/i);
  });

  it('prints every problem with file, line, column, field, value and remedy, and exits 1', async () => {
    const path = file('web.yaml', web.replace('443}', '70000}').replace('port: 8443', 'port: 0'));
    const { code, stdout } = await runCli(['validate', '-f', path]);
    expect(code).to.equal(1);
    expect(stdout.split('\n')).to.deep.equal([
      `${path}:7:20: spec.endpoints[0].listen.port: is too large, got 70000: use at most 65535`,
      `${path}:8:40: spec.endpoints[0].remotes[0].port: is too small, got 0: use at least 1`,
      '0 valid relays, 2 problems, 0 warnings',
      '',
    ]);
  });

  it('reports a port conflict at the endpoint that comes later, with the remedy', async () => {
    const second =
      '  - {name: v4, listen: {address: 0.0.0.0, port: 443}, remotes: [{address: b, port: 1}]}\n';
    const { code, stdout } = await runCli(['validate', '-f', '-'], web + second);
    expect(code).to.equal(1);
    expect(stdout)
      .to.contain('stdin:9:24: spec.endpoints[1].listen: endpoints "https"')
      .and.to.contain('set ipv6Only: true on "https"');
  });

  it('reports a relay that is its own remote', async () => {
    const loop = '  - {name: loop, listen: {port: 81}, remotes: [{address: localhost, port: 81}]}\n';
    const { code, stdout } = await runCli(['validate', '-f', '-'], web + loop);
    expect(code).to.equal(1);
    expect(stdout).to.contain(
      'stdin:9:47: spec.endpoints[1].remotes: endpoint "loop" ([::]:81) is its own remote',
    );
  });

  it('lets warnings pass, unless --strict', async () => {
    const manifest = web.replace('backend', '127.0.0.1');
    const lenient = await runCli(['validate', '-f', '-'], manifest);
    const strict = await runCli(['validate', '--strict', '-f', '-'], manifest);
    expect([lenient.code, strict.code]).to.deep.equal([0, 1]);
    expect(lenient.stdout).to.contain(
      'stdin:8:25: warning: spec.endpoints[0].remotes[0].address: is the Pod of the relay itself',
    );
  });

  it('warns of link-local addresses, which need a zone', async () => {
    const { code, stdout } = await runCli(['validate', '-f', '-'], web.replace('backend', '"fe80::1"'));
    expect(code).to.equal(0);
    expect(stdout).to.contain(
      'warning: spec.endpoints[0].remotes[0].address: is a link-local address, which cannot be relayed to without a zone',
    );
  });

  it('warns of relays on hostNetwork that are sure to meet on a node, whatever files they stand in', async () => {
    const onNodes = (manifest: string, kind: string): string =>
      `${manifest.replace('443}', '4430}')}  workload: {kind: ${kind}, hostNetwork: true}\n`;
    const first = file('a.yaml', onNodes(web, 'DaemonSet'));
    const second = file('b.yaml', onNodes(dns, 'Deployment'));
    const { code, stdout } = await runCli(['validate', '-f', first, '-f', second]);
    expect({ code, stdout: stdout.split('\n') }).to.deep.equal({
      code: 0,
      stdout: [
        `${second}:3:18: warning: spec.workload.hostNetwork: on hostNetwork, relay "edge/dns" and relay "edge/web" cannot share a node, since both need TCP 9465 of the admin server, TCP 4430: set podTemplate.spec.nodeSelector so that they are on different nodes, or make one relay of the two`,
        '2 valid relays, 0 problems, 1 warning',
        '',
      ],
    });
    file('a.yaml', onNodes(web, 'Deployment')); // a scheduler keeps these apart
    expect((await runCli(['validate', '-f', folder()])).stdout).to.equal(
      '2 valid relays, 0 problems, 0 warnings\n',
    );
  });

  const refused = [
    { text: '', message: 'is empty' },
    { text: '# a comment\n---\n', message: 'is empty' },
    { text: 'a: [1', message: 'is not YAML' },
    { text: 'just text', message: 'is not a RealmRelay' },
    { text: web.replace('v1alpha1', 'v1'), message: 'use realm-operator.dev/v1alpha1' },
    { text: web.replace('kind: RealmRelay', 'kind: Relay'), message: 'kind: RealmRelay' },
    { text: `${web}---\n${web}`, message: 'rename one of them' },
    { text: `a: ${'x'.repeat(5 * 1024 * 1024)}`, message: 'use at most' },
  ];
  for (const { text, message } of refused) {
    it(`refuses ${JSON.stringify(text.slice(-30))}: ${message}`, async () => {
      const { code, stdout } = await runCli(['validate', '-f', '-'], text);
      expect(code).to.equal(1);
      expect(stdout).to.contain(message);
    });
  }

  it('reports what cannot be read, and a folder without manifests', async () => {
    const { code, stdout } = await runCli(['validate', '-f', join(folder(), 'nothing.yaml'), '-f', folder()]);
    expect(code).to.equal(1);
    expect(stdout).to.contain('no such file').and.to.contain('contains no .yaml');
  });

  it('explains itself and its usage', async () => {
    const help = await runCli(['validate', '--help']);
    const none = await runCli(['validate']);
    const unknown = await runCli(['validate', '--nope']);
    expect([help.code, none.code, unknown.code]).to.deep.equal([0, 2, 2]);
    expect(help.stdout).to.match(/^Usage: realm-operator validate/);
    expect(none.stderr).to.contain('give the manifests with -f');
    expect(unknown.stderr).to.contain('--nope');
  });
});

describe('realm-operator render', () => {
  it('prints the objects that the operator would apply', async () => {
    const platform = {
      relayImage: 'example.com/relay:1',
      relayEngine: 'auto' as const,
      operatorNamespace: 'operators',
      deniedDestinations: defaultDeniedDestinations,
    };
    const options = [
      '--relay-image',
      platform.relayImage,
      '--operator-namespace',
      platform.operatorNamespace,
    ];
    const { code, stdout } = await runCli(['render', ...options, '-f', '-'], web);
    const relay = parsed(loadAll(web)[0] as RealmRelay);
    expect(code).to.equal(0);
    expect(loadAll(stdout)).to.deep.equal(desiredObjects(relay, platform));
  });

  it('prints nothing for a manifest that is not valid, but what is wrong with it', async () => {
    const { code, stdout, stderr } = await runCli(['render', '-f', '-'], web.replace('443', '0'));
    expect({ code, stdout }).to.deep.equal({ code: 1, stdout: '' });
    expect(stderr).to.contain('stdin:7:20: spec.endpoints[0].listen.port');
  });
});

describe('realm-operator', () => {
  it('prints its commands, its version, and an error for a command that it does not know', async () => {
    const help = await runCli(['--help']);
    const version = await runCli(['version']);
    const unknown = await runCli(['deploy']);
    expect(help).to.include({ code: 0, stderr: '' });
    expect(help.stdout).to.contain('standalone');
    expect(version.stdout).to.match(/^\d+\.\d+\.\d+\n$/);
    expect(unknown.code).to.equal(2);
    expect(unknown.stderr).to.contain('"deploy"');
  });

  for (const word of ['toString', '--toString', '__proto__', 'constructor', 'hasOwnProperty'])
    it(`does not know the command ${word}, which every object has`, async () => {
      const { code, stderr } = await runCli([word]);
      expect(code).to.equal(2);
      expect(stderr).to.match(/^realm-operator: unknown command /);
    });

  it('prints the cause of a failure, once', async () => {
    const { code, stderr } = await runCli(['operator', '--kubeconfig', '/no/such/file']);
    expect(code).to.equal(1);
    expect(stderr)
      .to.contain('/no/such/file cannot be read (give another one with --kubeconfig or KUBECONFIG): ENOENT')
      .and.not.to.contain('    at ');
  });
});

/** The configuration that `render` puts into the ConfigMap. */
async function configOf(...options: string[]): Promise<Record<string, unknown>> {
  const { stdout } = await runCli(['render', ...options, '-f', '-'], web);
  const [configMap] = loadAll(stdout) as { data: Record<string, string> }[];
  return JSON.parse(configMap?.data['config.json'] ?? '') as Record<string, unknown>;
}

describe('--denied-destinations', () => {
  it('is in the configuration of every relay, and absent if empty', async () => {
    expect((await configOf())['denied_destinations']).to.deep.equal(defaultDeniedDestinations);
    const own = await configOf('--denied-destinations=10.0.0.0/8,2001:db8::1');
    expect(own['denied_destinations']).to.deep.equal(['10.0.0.0/8', '2001:db8::1']);
    expect(await configOf('--denied-destinations=')).to.not.have.property('denied_destinations');
  });

  for (const command of ['operator', 'render']) {
    for (const list of ['10.0.0.0/33', 'metadata.example', '10.0.0.1,,10.0.0.2', '10.0.0.0/8, 10.0.0.1']) {
      it(`of ${command} is refused with exit code 2: "${list}"`, async () => {
        const argv = command === 'render' ? ['-f', '-'] : ['--kubeconfig', '/dev/null'];
        const { code, stderr } = await runCli([command, ...argv, `--denied-destinations=${list}`], web);
        expect(code).to.equal(2);
        expect(stderr).to.match(
          /^realm-operator \w+: --denied-destinations\[\d\]: is not a range of IP addresses, got ".*": write an address/m,
        );
      });
    }
  }
});

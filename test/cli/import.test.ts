import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { apiVersion } from '../../src/api/schema/realm-relay.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { runCli } from './cli.ts';

const { folder, file } = temporaryFolder();

const web = `[[endpoints]]
listen = "[::]:443"
remote = "backend.example:8443"
`;

describe('realm-operator import', () => {
  it('prints a manifest that validate takes, called like the file', async () => {
    const { code, stdout, stderr } = await runCli(['import', file('2nd Edge.toml', web)]);
    expect({ code, stderr, stdout }).to.deep.equal({
      code: 0,
      stderr: '',
      stdout: `apiVersion: ${apiVersion}
kind: RealmRelay
metadata:
  name: nd-edge
spec:
  endpoints:
    - name: tcp-443
      listen:
        address: '::'
        port: 443
      remotes:
        - address: backend.example
          port: 8443
`,
    });
    expect((await runCli(['validate', '-f', '-'], stdout)).code).to.equal(0);
  });

  it('takes a folder, merged, and standard input, and the given name and namespace', async () => {
    mkdirSync(join(folder(), 'realm.d'));
    file('realm.d/a.toml', web);
    file(
      'realm.d/b.json',
      '{"endpoints": [{"listen": "[::]:80", "remote": "a:1"}], "network": {"use_udp": true}}',
    );
    const merged = await runCli(['import', join(folder(), 'realm.d')]);
    expect(merged.stdout).to.include('name: realm\n').and.include('udp: true');
    expect(merged.stdout.match(/port: (443|80)$/gm)).to.have.length(2);
    const named = await runCli(['import', '-', '--name', 'web', '--namespace', 'edge'], web);
    expect(named.stdout).to.include('metadata:\n  name: web\n  namespace: edge\n');
  });

  it('prints which Secrets to make, and how', async () => {
    const path = file(
      'realm.toml',
      `${web}listen_transport = "tls;cert=/etc/ssl/web.crt;key=/etc/ssl/web.key"\n`,
    );
    const { code, stdout, stderr } = await runCli(['import', path, '--namespace', 'edge']);
    expect(code).to.equal(0);
    expect(stdout).to.include('secretName: web\n');
    expect(stderr).to.equal(
      'Create the Secret "web": kubectl create secret tls web --namespace edge --cert=/etc/ssl/web.crt --key=/etc/ssl/web.key\n',
    );
  });

  const refused = [
    {
      why: 'a listen address that is a name',
      text: web.replace('[::]', 'localhost'),
      told: 'endpoints[0].listen: is not valid, got "localhost": use an IPv4 or IPv6 address without brackets, port or zone, such as "::" or "0.0.0.0"',
    },
    {
      why: 'a zone',
      text: web.replace('backend.example', '[fe80::1%eth0]'),
      told: 'endpoints[0].remote: is not valid, got "fe80::1%eth0": zones are not supported: use an address that is not link-local',
    },
    {
      why: 'any free port',
      text: web.replace(':443', ':0'),
      told: 'endpoints[0].listen: is too small, got 0: use at least 1',
    },
    {
      why: 'endpoints that conflict',
      text: `${web}${web.replace('[::]', '0.0.0.0')}`,
      told: 'endpoints[1].listen: endpoints "tcp-443" ([::]:443 for IPv4 and IPv6) and "tcp-443-v4" (0.0.0.0:443 for IPv4) cannot share TCP port 443: set ipv6_only to true on "tcp-443", or choose another port',
    },
    {
      why: 'no endpoint',
      text: 'endpoints = []',
      told: 'spec.endpoints: is too small, got []: use at least 1 item',
    },
    { why: 'no TOML', text: 'endpoints = [', told: 'document: is neither TOML nor JSON' },
    {
      why: 'no configuration',
      text: 'hello world\n',
      told: '1: document: is no configuration of Realm, HAProxy, nginx, gost or rinetd that is recognized',
    },
    {
      why: 'comments alone',
      text: '# later\n',
      told: '1: document: is empty: give a configuration of Realm, HAProxy, nginx, gost or rinetd\n',
    },
    {
      why: 'no content',
      text: '',
      told: '1: document: is empty: give a configuration of Realm, HAProxy, nginx, gost or rinetd\n',
    },
  ];
  for (const { why, text, told } of refused) {
    it(`reports the problem and prints no manifest: ${why}`, async () => {
      const path = file('realm.toml', text);
      const { code, stdout, stderr } = await runCli(['import', path]);
      expect({ code, stdout }).to.deep.equal({ code: 1, stdout: '' });
      expect(stderr.replace(/toml:[1-9]: (?=(?:spec[.])?endpoints)/, 'toml: ')).to.include(
        `${path}:${told.startsWith('1:') ? '' : ' '}${told}`,
      );
    });
  }

  it('names the kind that --from states if a file is empty, and the empty file of a folder', async () => {
    const { code, stderr } = await runCli(['import', '--from', 'haproxy', '-'], '\n');
    expect(code).to.equal(1);
    expect(stderr).to.equal('stdin:1: document: is empty: give a configuration of haproxy\n');
    mkdirSync(join(folder(), 'realm.d'));
    file('realm.d/a.toml', web);
    const empty = file('realm.d/b.json', '');
    const ofFolder = await runCli(['import', '--from', 'realm', join(folder(), 'realm.d')]);
    expect(ofFolder.stderr).to.equal(`${empty}:1: document: is empty: give a configuration of realm\n`);
  });

  it('reports a file that is not there, and wrong usage', async () => {
    expect(await runCli(['import', join(folder(), 'none.toml')])).to.deep.include({ code: 1, stdout: '' });
    for (const argv of [[], ['a', 'b'], ['--nmae', 'x', 'a']]) {
      const { code, stderr } = await runCli(['import', ...argv]);
      expect(code).to.equal(2);
      expect(stderr).to.include('Usage: realm-operator import PATH');
    }
  });
});

import { execFileSync } from 'node:child_process';
import { expect } from 'chai';
import { secretCommand, Secrets, word } from '../../../src/config/import/secrets.ts';

const pair = (cert: string, key: string) => ({ 'tls.crt': cert, 'tls.key': key });

describe('Secrets', () => {
  const cases = [
    { files: pair('/etc/ssl/web.crt', '/etc/ssl/web.key'), name: 'web', why: 'the name of the file' },
    {
      files: pair('/etc/letsencrypt/live/a.example/fullchain.pem', '/x/privkey.pem'),
      name: 'a.example',
      why: 'the folder, if the name of the file states only its kind',
    },
    { files: { 'ca.crt': 'ca.crt' }, name: 'ca', why: 'the file after all, if there is no folder' },
    {
      files: { 'ca.crt': '/etc/My_CA 1.pem' },
      name: 'my-ca-1',
      why: 'only what the name of a Secret allows',
    },
    { files: { 'ca.crt': '/_/.pem' }, name: 'tls', why: 'no valid character remains' },
  ];
  for (const { files, name, why } of cases) {
    it(`${name}: ${why}`, () => {
      expect(new Secrets().nameFor(files)).to.equal(name);
    });
  }

  it('assigns the same Secret to the same files, another one to other files, and adds keys that are free', () => {
    const secrets = new Secrets();
    const names = [
      secrets.nameFor(pair('/a/web.crt', '/a/web.key')),
      secrets.nameFor(pair('/a/web.crt', '/a/web.key')),
      secrets.nameFor(pair('/b/web.crt', '/b/web.key')),
      secrets.nameFor({ 'ca.crt': '/c/web.pem' }),
    ];
    expect(names).to.deep.equal(['web', 'web', 'web-2', 'web']);
    expect(secrets.all().map((secret) => secretCommand(secret, undefined))).to.deep.equal([
      'kubectl create secret generic web --from-file=tls.crt=/a/web.crt --from-file=tls.key=/a/web.key --from-file=ca.crt=/c/web.pem',
      'kubectl create secret tls web-2 --cert=/b/web.crt --key=/b/web.key',
    ]);
  });

  it('quotes paths for a shell', () => {
    const path = `/a b/it's $HOME;"x"`;
    expect(execFileSync('sh', ['-c', `printf %s ${word(path)}`]).toString()).to.equal(path);
  });
});

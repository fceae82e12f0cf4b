import { execFileSync } from 'node:child_process';
import { expect } from 'chai';
import { secretCommand, Secrets, word } from '../../../src/config/import/secrets.ts';

const pair = (cert: string, key: string) => ({ 'tls.crt': cert, 'tls.key': key });

describe('Secrets', () => {
  const cases = [
    { files: pair('/etc/ssl/web.crt', '/etc/ssl/web.key'), name: 'web', why: 'the file' },
    {
      files: pair('/etc/letsencrypt/live/a.example/fullchain.pem', '/x/privkey.pem'),
      name: 'a.example',
      why: 'the folder, where the file is called what it is',
    },
    { files: { 'ca.crt': 'ca.crt' }, name: 'ca', why: 'the file after all, where there is no folder' },
    { files: { 'ca.crt': '/etc/My_CA 1.pem' }, name: 'my-ca-1', why: 'as much as a Secret can be called' },
    { files: { 'ca.crt': '/_/.pem' }, name: 'tls', why: 'nothing is left of it' },
  ];
  for (const { files, name, why } of cases) {
    it(`${name}: ${why}`, () => {
      expect(new Secrets().nameFor(files)).to.equal(name);
    });
  }

  it('gives the same files the same Secret, others of that name another, and adds keys that are free', () => {
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

  it('writes paths so that a shell reads them back', () => {
    const path = `/a b/it's $HOME;"x"`;
    expect(execFileSync('sh', ['-c', `printf %s ${word(path)}`]).toString()).to.equal(path);
  });
});

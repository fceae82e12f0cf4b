import { mkdtempSync, truncateSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { KubeConfigError, kubeConfigLoader } from '../../src/kube/kube-config.ts';

const cluster = 'clusters: [{name: c, cluster: {server: "https://192.0.2.1:6443"}}]';
const context = 'contexts: [{name: x, context: {cluster: c, user: u}}]\nusers: [{name: u, user: {token: t}}]';

describe('kubeConfigLoader', () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'realm-operator-'));
  });

  afterEach(() => rm(folder, { recursive: true }));

  function load(text: string): () => unknown {
    const file = join(folder, 'kubeconfig');
    writeFileSync(file, text);
    return kubeConfigLoader({ file });
  }

  it('takes the cluster of the current context', () => {
    const loader = kubeConfigLoader({ file: join(folder, 'kubeconfig') });
    load(`${cluster}\n${context}\ncurrent-context: x\n`);
    expect(loader().getCurrentCluster()?.server).to.equal('https://192.0.2.1:6443');
  });

  const cases = [
    { text: `${cluster}\n${context}\n`, message: /has no current context/, why: 'no context is current' },
    {
      text: `${context}\ncurrent-context: x\n`,
      message: /has no current context with a cluster|cannot be read/,
      why: 'the cluster is missing',
    },
    { text: 'a: [', message: /cannot be read/, why: 'it is not YAML' },
    { text: '', message: /cannot be read|has no current context/, why: 'it is empty' },
  ];
  for (const { text, message, why } of cases) {
    it(`reports what is wrong if ${why}`, () => {
      expect(load(text)).to.throw(KubeConfigError, message);
    });
  }

  for (const [what, named] of [
    ['a kubeconfig', undefined],
    [
      'a CA',
      'clusters: [{name: c, cluster: {server: "https://192.0.2.1:6443", certificate-authority: FILE}}]',
    ],
    ['a certificate', 'users: [{name: u, user: {client-certificate: FILE, client-key: none}}]'],
    ['a key', 'users: [{name: u, user: {client-certificate: none, client-key: FILE}}]'],
  ] as const) {
    it(`rejects ${what} of more than 1 MiB before it is read`, () => {
      const large = join(folder, 'large');
      writeFileSync(large, '');
      truncateSync(large, 1024 ** 2 + 1);
      const whole = `${cluster}\n${context}\ncurrent-context: x\n`;
      const key = named?.slice(0, named.indexOf(':') + 1) ?? '';
      const before = whole.split('\n').find((line) => line.startsWith(key)) ?? '';
      const loader =
        named === undefined
          ? kubeConfigLoader({ file: large })
          : load(whole.replace(before, named.replace('FILE', large)));
      expect(loader)
        .to.throw(KubeConfigError)
        .with.nested.property('cause.message', `${large} is larger than 1048576 bytes`);
    });
  }

  it('reports what is wrong if there is no such file', () => {
    expect(kubeConfigLoader({ file: join(folder, 'none') })).to.throw(KubeConfigError, /none cannot be read/);
  });
});

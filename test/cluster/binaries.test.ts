import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { binaries } from './binaries.ts';

describe('binaries', () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'realm-operator-assets-'));
  });

  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  it('are those of KUBEBUILDER_ASSETS if it is set', () => {
    for (const name of ['etcd', 'kube-apiserver', 'kubectl']) writeFileSync(join(folder, name), '');
    expect(binaries({ KUBEBUILDER_ASSETS: folder })).to.deep.include({
      etcd: [join(folder, 'etcd')],
      apiServer: [join(folder, 'kube-apiserver')],
      kubectl: [join(folder, 'kubectl')],
    });
  });

  it('are reported missing if KUBEBUILDER_ASSETS lacks one, and not taken from elsewhere', () => {
    writeFileSync(join(folder, 'etcd'), '');
    expect(binaries({ KUBEBUILDER_ASSETS: folder })).to.equal(
      `KUBEBUILDER_ASSETS=${folder} lacks kube-apiserver, kubectl`,
    );
  });
});

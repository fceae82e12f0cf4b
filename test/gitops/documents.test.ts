import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { version } from '../../src/lib/version.ts';
import { emptyPaths } from '../support/empty-paths.ts';
import { examples } from './documents.ts';

describe('examples of docs/gitops.md', () => {
  const chart = JSON.stringify(examples()).matchAll(/"(?:path|chart)":"(charts\/[^"]*)"/g);
  const tags = JSON.stringify(examples()).matchAll(/"(?:tag|targetRevision)":"(v[^"]*)"/g);

  it('are for Argo CD and for Flux', () => {
    expect(examples().map(({ kind, metadata }) => `${kind}/${metadata.name}`)).to.deep.equal([
      'Application/realm-operator',
      'Application/relays',
      'ConfigMap/argocd-cm',
      'GitRepository/realm-operator',
      'HelmRelease/realm-operator',
      'Kustomization/relays',
    ]);
  });

  it('contain nothing empty', () => {
    expect(emptyPaths(examples())).to.deep.equal([]);
  });

  it('name the folder of the chart, at this version', () => {
    const folders = [...chart].map(([, folder = '']) => folder);
    expect(folders).to.have.lengthOf(2);
    for (const folder of folders) {
      expect(existsSync(join(import.meta.dirname, '..', '..', folder, 'Chart.yaml')), folder).to.equal(true);
    }
    expect([...tags].map(([, tag]) => tag)).to.deep.equal([`v${version}`, `v${version}`]);
  });
});

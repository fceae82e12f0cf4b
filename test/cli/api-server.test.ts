import { expect } from 'chai';
import { apiVersion, plural } from '../../src/api/schema/realm-relay.ts';
import { describeWithCluster } from '../cluster/shared.ts';
import { manifestCases } from './manifest-cases.ts';

describeWithCluster('kube-apiserver, on what people write', (cluster) => {
  let home: string;
  before(async () => {
    home = await cluster().namespace();
  });

  /** Whether the API server has, or would create, the namespace that a manifest names. */
  async function hasNamespace(name: string): Promise<boolean> {
    const body = { apiVersion: 'v1', kind: 'Namespace', metadata: { name } };
    return (await cluster().request('POST', '/api/v1/namespaces?dryRun=All', body)).status === 201;
  }

  for (const { why, manifest, isAccepted } of manifestCases) {
    it(`${isAccepted ? 'accepts' : 'refuses'} ${why}`, async () => {
      const path = `/apis/${apiVersion}/namespaces/${home}/${plural}?dryRun=All&fieldValidation=Strict`;
      const body = Buffer.isBuffer(manifest) ? manifest : Buffer.from(manifest);
      const { status, text } = await cluster().request('POST', path, body, 'application/yaml');
      const named = /^ {2}namespace: (\S+\.\S+|My_NS)$/m.exec(body.toString())?.[1];
      const isCreated = status === 201 && (named === undefined || (await hasNamespace(named)));
      expect(isCreated, text).to.equal(isAccepted);
    });
  }
});

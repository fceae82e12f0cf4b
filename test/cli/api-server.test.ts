import { expect } from 'chai';
import { apiVersion, plural } from '../../src/api/schema/realm-relay.ts';
import { describeWithCluster } from '../cluster/shared.ts';
import { yamlDocuments } from '../../src/cli/yaml-documents.ts';
import { runCli } from './cli.ts';
import { manifestCases } from './manifest-cases.ts';
import { base, listen, with_ } from './manifest-text.ts';

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

/** What kubectl decides before the API server reads it: kubectl turns YAML into JSON itself. */
const ofKubectl = [
  {
    why: 'a key after a merge that has it',
    text: listen('\n      <<: {port: 80}\n      address: "::"\n      port: 443'),
  },
  {
    why: 'a key before a merge that has it',
    text: listen('\n      address: "::"\n      port: 443\n      <<: {port: 80}'),
  },
  { why: 'a wrong value in a merge behind the key', text: listen('\n      port: 443\n      <<: {port: x}') },
  {
    why: 'an alias whose keys are overridden',
    text: with_('spec:', 'spec:\n  network: &a {udp: true, tcp: true}').replace(
      '    remotes:',
      '    network:\n      <<: *a\n      tcp: false\n    remotes:',
    ),
  },
  {
    why: 'a list of merges with one key',
    text: listen('\n      address: "::"\n      port: 1\n      <<: [{port: 443}, {port: 80}]'),
  },
  { why: 'two merges', text: listen('\n      <<: {port: 443}\n      <<: {address: "::"}') },
  { why: 'two merges with one key', text: listen('\n      <<: {port: 443}\n      <<: {port: 80}') },
  { why: 'a merge in a merge', text: listen('\n      <<: {port: 443, <<: {port: 80}}') },
  { why: 'a merge in quotes', text: listen('{"<<": {port: 80}, port: 443}') },
  { why: 'generateName alone', text: base.replace('name: web', 'generateName: web-') },
  { why: 'generateName beside a name', text: base.replace('name: web', 'name: web\n  generateName: web-') },
];

describeWithCluster('kubectl apply, on merges and generated names', (cluster) => {
  for (const { why, text } of ofKubectl)
    it(`decides as validate does: ${why}`, async () => {
      const flags = [
        '--dry-run=server',
        '--output=jsonpath={.spec.endpoints}',
        '--namespace',
        await cluster().namespace(),
      ];
      const applied = await cluster().kubectl(['apply', ...flags, '-f', '-'], text);
      const { code, stdout } = await runCli(['validate', '-'], text);
      expect(code, `${stdout}${applied.stderr}`).to.equal(applied.code);
      if (code !== 0) return;
      const [document] = yamlDocuments(text);
      expect(document?.value).to.have.deep.nested.property('spec.endpoints', JSON.parse(applied.stdout));
    });
});

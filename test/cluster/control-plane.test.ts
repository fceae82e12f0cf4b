import { expect } from 'chai';
import { describeWithCluster } from './shared.ts';
import { eventually } from '../support/eventually.ts';

describeWithCluster('control plane', (cluster) => {
  it('answers kubectl', async () => {
    const { stdout, code } = await cluster().kubectl(['version', '--output=json']);
    expect(code).to.equal(0);
    expect(JSON.parse(stdout)).to.have.nested.property('serverVersion.major', '1');
  });

  it('gives each test a namespace of its own', async () => {
    const names = await Promise.all([cluster().namespace(), cluster().namespace()]);
    expect(new Set(names)).to.have.lengthOf(2);
    expect((await cluster().request('GET', `/api/v1/namespaces/${names[0]}`)).status).to.equal(200);
  });

  it('has both IP families', async () => {
    const namespace = await cluster().namespace();
    const service = { apiVersion: 'v1', kind: 'Service', metadata: { name: 'dual' } };
    const spec = { ipFamilyPolicy: 'RequireDualStack', ports: [{ port: 1 }] };
    const made = await cluster().request('POST', `/api/v1/namespaces/${namespace}/services`, {
      ...service,
      spec,
    });
    expect(made.json()).to.have.nested.property('spec.ipFamilies').that.has.members(['IPv4', 'IPv6']);
  });

  it('counts its requests', async () => {
    expect(await cluster().metrics()).to.match(/^apiserver_request_total\{.*verb="POST".*\} \d+$/m);
  });

  it('collects garbage', async function () {
    if (!cluster().hasControllerManager) this.skip();
    const path = `/api/v1/namespaces/${await cluster().namespace()}/configmaps`;
    const owner = await cluster().request('POST', path, configMap('owner'));
    const { uid } = (owner.json() as { metadata: { uid: string } }).metadata;
    const reference = { apiVersion: 'v1', kind: 'ConfigMap', name: 'owner', uid };
    await cluster().request('POST', path, configMap('owned', [reference]));
    await cluster().request('DELETE', `${path}/owner`);
    await eventually('owned ConfigMap gone', async () => {
      return (await cluster().request('GET', `${path}/owned`)).status === 404;
    });
  });

  it('keeps its data when the API server restarts', async () => {
    const namespace = await cluster().namespace();
    await cluster().restartApiServer();
    expect((await cluster().request('GET', `/api/v1/namespaces/${namespace}`)).status).to.equal(200);
  });
});

function configMap(name: string, ownerReferences?: readonly unknown[]): unknown {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, ownerReferences } };
}

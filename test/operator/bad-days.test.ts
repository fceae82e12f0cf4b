import { mkdtempSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KubeConfig } from '@kubernetes/client-node';
import { expect } from 'chai';
import { dump } from 'js-yaml';
import { customResourceDefinition } from '../../src/api/crd.ts';
import type { KubeConfigLoader } from '../../src/kube/kube-config.ts';
import { type ControlPlane, startControlPlane } from '../cluster/control-plane.ts';
import { eventually } from '../support/eventually.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { JumpingClock } from '../support/jumping-clock.ts';
import { describeWithCluster } from '../cluster/shared.ts';
import { childrenOfWeb, condition, Edge, spec } from './edge.ts';
import { type Fault, type FaultProxy, type Passing, startFaultProxy } from './fault-proxy.ts';

const accounts = '/api/v1/namespaces/default/serviceaccounts';

/**
 * With a control plane of its own: its CRD is an older one, which knows no field and so refuses none, and no controller
 * manager helps. The operator reaches it through a proxy that does what a test wants, with a token from a file.
 */
describeWithCluster('operator on a bad day', function () {
  let own: ControlPlane;
  let folder: string;
  let proxy: FaultProxy;
  let edge: Edge;
  let clock: JumpingClock;
  let tokens = 0;

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'realm-operator-bad-days-'));
    writeFileSync(join(folder, 'older-crd.yaml'), olderCrd());
    own = await startControlPlane({
      manifests: [join(folder, 'older-crd.yaml')],
      controllerManager: false,
    });
    // For a moment the server refuses watches of a new kind, and an operator whose clock stands still would not ask again
    const watch = 'watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&timeoutSeconds=1';
    const path = `/apis/realm-operator.dev/v1alpha1/realmrelays?allowWatchBookmarks=true&${watch}`;
    await eventually(
      'RealmRelays can be watched',
      async () => (await own.request('GET', path)).status === 200,
    );
    await own.request('POST', accounts, { metadata: { name: 'operator' } });
    const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' };
    const subjects = [{ kind: 'ServiceAccount', name: 'operator', namespace: 'default' }];
    await own.request('POST', '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings', {
      metadata: { name: 'operator' },
      roleRef,
      subjects,
    });
    await own.request('POST', '/api/v1/namespaces/default/secrets', { metadata: { name: 'first' } });
  });

  beforeEach(async () => {
    proxy = await startFaultProxy(own);
    edge = new Edge(own, await own.namespace(), await throughProxy());
    edge.clock = clock = new JumpingClock();
  });

  afterEach(async () => {
    await edge.stop();
    await proxy.stop();
  });

  after(async () => {
    await own.stop();
    await rm(folder, { recursive: true });
  });

  /** A token of the operator's account, valid as long as the Secret `holder` is there. */
  async function writeToken(file: string, holder?: string): Promise<void> {
    const secret = await own.request('GET', `/api/v1/namespaces/default/secrets/${holder ?? ''}`);
    const { uid } = (secret.json() as { metadata: { uid?: string } }).metadata;
    const boundObjectRef = { apiVersion: 'v1', kind: 'Secret', name: holder, uid };
    const body = { spec: holder === undefined ? {} : { boundObjectRef } };
    const { text } = await own.request('POST', `${accounts}/operator/token`, body);
    const { status } = JSON.parse(text) as { status?: { token: string } };
    if (status === undefined) throw new Error(text);
    writeFileSync(file, status.token);
  }

  let tokenFile: string;

  /** The credentials of a Pod, whose service account's token is in a file, but by way of the proxy. */
  async function throughProxy(): Promise<KubeConfigLoader> {
    tokens += 1;
    tokenFile = join(folder, `token-${String(tokens)}`);
    await writeToken(tokenFile, 'first');
    return () => {
      const config = new KubeConfig();
      const authProvider = { name: 'tokenFile', config: { tokenFile } };
      config.loadFromClusterAndUser(
        { name: 'proxy', server: proxy.url, skipTLSVerify: true },
        { name: 'operator', authProvider },
      );
      return config;
    };
  }

  /** Starts the operator with a clock that stands still, so that no wait of it ends before a test lets it end. */
  async function startStill(): Promise<FakeClock> {
    const still = new FakeClock();
    edge.clock = still;
    await start();
    return still;
  }

  async function start(): Promise<void> {
    await edge.start();
    await edge.applyRelay('web', spec());
    await edge.expectCondition('web', 'Programmed', 'True', 'Programmed');
    proxy.answered.length = 0;
    edge.logged.length = 0;
  }

  /** Edits `web` and resolves once all of it is applied. */
  async function expectFollowed(port: number): Promise<void> {
    await edge.applyRelay('web', spec(port));
    await edge.expect('services/web', (seen) => JSON.stringify(seen.spec?.['ports']).includes(String(port)));
    await edge.expectCondition('web', 'Programmed', 'True', 'Programmed');
  }

  /** Does `fault` to the next `times` applies of `object`. */
  function failApplies(object: string, fault: Fault, times = 1): void {
    let left = times;
    proxy.fault = (request) => {
      if (!isApply(request, object) || left === 0) return undefined;
      left -= 1;
      return fault;
    };
  }

  /** Lets time pass by the second until `relay` is Programmed, or not, for this reason. */
  async function passUntil(still: FakeClock, reason: string, relay = 'web'): Promise<void> {
    await edge.expect(`realmrelays/${relay}`, (seen) => {
      if (condition(seen, 'Programmed')?.reason === reason) return true;
      still.advance(1_000);
      return false;
    });
  }

  /** Resolves once the operator sends the next apply of `object`, whatever becomes of it. */
  function nextApply(object: string): Promise<undefined> {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    const { fault } = proxy;
    proxy.fault = (request) => {
      if (isApply(request, object)) resolve(undefined);
      return fault(request);
    };
    return promise;
  }

  it('waits as long as a 429 asks it to', async () => {
    const still = await startStill();
    const answers = (): number[] =>
      proxy.answered.filter((seen) => isApply(seen, 'configmaps/web-config')).map(({ status }) => status);
    failApplies('configmaps/web-config', { status: 429, headers: { 'retry-after': '70' } });
    await edge.applyRelay('web', spec(9443));
    await eventually('the 429', () => answers().length === 1);
    await edge.idle();
    still.advance(69_999);
    await edge.idle();
    expect(answers()).to.deep.equal([429]);
    still.advance(1); // less in all than the 90 s without a bookmark after which a watch is replaced
    await expectFollowed(9443);
    expect(answers()).to.deep.equal([429, 200]);
    expect(failures()).to.deep.equal([]);
  });

  it('comes through 500s, and what ran before is still there', async () => {
    await start();
    const [, deployment] = await edge.versions();
    failApplies('services/web', { status: 500 }, 3);
    await expectFollowed(9443);
    expect(proxy.answered.filter(({ status }) => status === 500)).to.have.lengthOf(3);
    expect((await edge.versions())[1]).to.equal(deployment);
  });

  const failing: { fault: Fault; reason: string; told: RegExp }[] = [
    {
      fault: { status: 500 },
      reason: 'InvalidTemplate',
      told: /rejects Deployment "web": a fault of the test/,
    },
    {
      fault: { status: 504 },
      reason: 'ApplyFailed',
      told: /could not apply Deployment "web": a fault of the test/,
    },
    {
      fault: 'silence',
      reason: 'ApplyFailed',
      told: /could not apply Deployment "web": it did not answer in time/,
    },
  ];
  for (const { fault, reason, told } of failing) {
    it(`goes on around a Deployment that cannot be applied: ${JSON.stringify(fault)}`, async () => {
      const still = await startStill();
      const before = await edge.versions();
      failApplies('deployments/web', fault, Infinity);
      const tried = nextApply('deployments/web');
      await edge.applyRelay('web', spec(8443, { image: 'registry.example/realm-relay:other' }));
      await tried;
      for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) {
        await edge.applyRelay(name, spec());
        await edge.expectCondition(name, 'Programmed', 'True', 'Programmed');
      }
      if (fault === 'silence') expect(failures(), 'they did not wait for its end').to.deep.equal([]);
      await passUntil(still, reason);
      const { message } = await edge.expectCondition('web', 'Programmed', 'False', reason);
      expect(message).to.match(told);
      expect(await edge.versions()).to.deep.equal(before);
      proxy.fault = () => undefined;
      await passUntil(still, 'Programmed');
      const { spec: mended } = await edge.expect('deployments/web');
      expect(JSON.stringify(mended)).to.include('realm-relay:other');
    });
  }

  it('lets no relay wait for many that the API server does not answer for', async () => {
    const still = await startStill();
    const stuck = Array.from({ length: 12 }, (_, index) => `stuck-${String(index)}`);
    proxy.fault = (request) =>
      stuck.some((name) => isApply(request, `deployments/${name}`)) ? 'silence' : undefined;
    for (const [index, name] of stuck.entries()) {
      const tried = nextApply(`deployments/${name}`);
      await edge.applyRelay(name, spec());
      await tried;
      if (index % 4 === 3) still.advance(1_000); // for so long four of them keep all others waiting
    }
    await expectFollowed(9443);
    expect(failures(), 'they did not wait for an end of it').to.deep.equal([]);
    proxy.fault = () => undefined;
    proxy.endSilence();
    for (const name of stuck) await passUntil(still, 'Programmed', name);
  });

  it('notices that nothing more comes of its watches, of which only its own half lives', async () => {
    await start();
    proxy.stallWatches();
    await edge.write('DELETE', 'services/web');
    clock.jump(255_000); // the longest time of a watch, and what the API server has beyond it to end one
    await expectFollowed(9443);
    expect(JSON.stringify(edge.logged)).to.include('the server did not end the watch in time');
  });

  it('takes the new token when the old one is no longer valid, and nothing fails for it', async () => {
    await own.request('POST', '/api/v1/namespaces/default/secrets', { metadata: { name: 'short' } });
    await writeToken(tokenFile, 'short');
    await start();
    await writeToken(tokenFile); // as kubelet does, before the old one ends
    await own.request('DELETE', '/api/v1/namespaces/default/secrets/short');
    let port = 9_000;
    await eventually('the old token refused', async () => {
      port += 1;
      await expectFollowed(port);
      return proxy.answered.some(({ status }) => status === 401);
    });
    await expectFollowed(10_443);
    expect(failures()).to.deep.equal([]);
  });

  it('gets everything right after a time in which every third request met with a fault', async () => {
    const faults: Fault[] = [{ status: 503 }, 'cut', { status: 500 }, { status: 409 }, 'cut'];
    const most = 60;
    let count = 0;
    await edge.start();
    proxy.fault = () => {
      count += 1;
      return count % 3 === 0 && count < most ? faults[count % faults.length] : undefined;
    };
    const names = ['a', 'b', 'c', 'd', 'e', 'f'];
    const apply = async (port: number): Promise<void> => {
      for (const [index, name] of names.entries()) await edge.applyRelay(name, spec(port + index));
    };
    for (let port = 8_000; count < most; port = port === 8_000 ? 8_010 : 8_000) {
      await apply(port);
      await edge.idle();
    }
    await apply(9_000);
    for (const [index, name] of names.entries()) {
      await edge.expect(`services/${name}`, (seen) =>
        JSON.stringify(seen.spec?.['ports']).includes(String(9_000 + index)),
      );
      await edge.expectCondition(name, 'Programmed', 'True', 'Programmed');
    }
  });

  const unreadable: Readonly<Record<string, unknown>> = {
    'fields of other types': { endpoints: [{ name: 'https', listen: '443', remotes: {} }], replicas: 'two' },
    'endpoints that are none': { endpoints: 'all of them' },
    'a spec that is a text': 'please relay',
    'no spec at all': undefined,
    'what this version does not take any more': {
      endpoints: [{ name: 'HTTPS', listen: { address: '*', port: 70_000 }, remotes: [] }],
    },
  };
  for (const [what, bad] of Object.entries(unreadable)) {
    it(`reports what is wrong with a RealmRelay that an older CRD lets in, and keeps its children: ${what}`, async () => {
      await start();
      const before = await edge.versions();
      const edit = bad === undefined ? { op: 'remove' } : { op: 'replace', value: bad };
      await edge.write(
        'PATCH',
        'realmrelays/web',
        [{ ...edit, path: '/spec' }],
        'application/json-patch+json',
      );
      const { message } = await edge.expectCondition('web', 'Accepted', 'False', 'Invalid');
      expect(message).to.match(/^spec/);
      await edge.expectCondition('web', 'Stalled', 'True', 'Invalid');
      expect(await edge.versions()).to.deep.equal(before);
      await edge.applyRelay('other', spec());
      await edge.expectCondition('other', 'Programmed', 'True', 'Programmed');
    });
  }

  it('reports that its namespace is being deleted if a child cannot be replaced', async () => {
    await start();
    await own.request('DELETE', `/api/v1/namespaces/${edge.namespace}`); // nobody collects what is in it here
    await edge.write('DELETE', 'services/web');
    const { message } = await edge.expectCondition('web', 'Programmed', 'False', 'ApplyFailed');
    expect(message).to.include('is being terminated');
    await edge.idle();
    const tries = proxy.answered.filter((seen) => isApply(seen, 'services/web'));
    // Half a second, then a second and so on lie between them; the writes that they bring may bring a try or two more.
    const seconds = (performance.now() - (tries[0]?.atMs ?? 0)) / 1000;
    expect(tries.length, 'it does not hammer').to.be.at.most(3 + Math.ceil(Math.log2(1 + 2 * seconds)));
    await edge.write('DELETE', 'realmrelays/web');
    await edge.stop(); // lets the last turn end
    expect(await edge.find('services/web')).to.equal(undefined);
    for (const child of childrenOfWeb.slice(0, 2))
      expect((await edge.find(child))?.metadata).to.be.an('object');
  });

  /** What the operator logged as gone wrong. */
  function failures(): unknown[] {
    return edge.logged.filter(({ level }) => level === 'warn' || level === 'error');
  }
});

function isApply({ method, url }: Passing, object: string): boolean {
  return method === 'PATCH' && url.pathname.endsWith(`/${object}`);
}

/** Our CRD without what it says of the fields. */
function olderCrd(): string {
  const { spec, ...head } = customResourceDefinition() as unknown as {
    spec: { versions: readonly Record<string, unknown>[] };
  };
  const anything = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
  const versions = spec.versions.map((version) => ({
    ...version,
    schema: { openAPIV3Schema: anything },
    subresources: { status: {} }, // that of the scale would look at spec.replicas
  }));
  return dump({ ...head, spec: { ...spec, versions } });
}

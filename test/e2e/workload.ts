import { expect } from 'chai';
import { eventually } from '../support/eventually.ts';
import { backendAt } from './client.ts';
import { kubectl, printDiagnosis } from './install.ts';
import type { Place } from './place.ts';
import {
  applyManifest,
  clusterAddresses,
  evict,
  objectsOf,
  relayManifest,
  relayPods,
  webEndpoints,
} from './relay.ts';

const port = 443;
/** Objects that only some relays have, as kubectl names them. */
const companions = [
  'horizontalpodautoscaler.autoscaling/web',
  'networkpolicy.networking.k8s.io/web',
  'poddisruptionbudget.policy/web',
];

/** The workload of a relay and the objects that accompany it, each relay in its own namespace. */
export function describeWorkloads(place: () => Place): void {
  describe('its workload', () => {
    let namespace: string;

    beforeEach(async () => {
      namespace = await place().node.namespace({ 'pod-security.kubernetes.io/enforce': 'restricted' });
    });

    afterEach(async function () {
      if (this.currentTest?.state === 'failed') await printDiagnosis(place().node, namespace);
      // A namespace that is being deleted accepts no new objects, which would look like a missing right.
      await kubectl(place().node, ['-n', namespace, 'delete', 'realmrelays', '--all', '--wait=false']);
    });

    /** Applies the relay `web` with `more` in its spec, and resolves when it is Ready and relays to the backends. */
    async function serve(more: object, reversed = false): Promise<void> {
      const { node, six, four } = place();
      const endpoints = reversed ? webEndpoints(four, six) : webEndpoints(six, four);
      await applyManifest(node, namespace, 'web', relayManifest('web', endpoints, more));
      const web = await clusterAddresses(node, namespace, 'web');
      const reached = [await backendAt(web.ipv6, port), await backendAt(web.ipv4, port)];
      const wanted = ['backend-six', 'backend-four'];
      expect(reached).to.deep.equal(reversed ? wanted.reverse() : wanted);
    }

    it('is a DaemonSet if requested, and a Deployment again', async () => {
      await serve({ workload: { kind: 'DaemonSet' }, drainSeconds: 0 });
      expect(await workloads()).to.deep.equal(['daemonset.apps/web']);
      await serve({ drainSeconds: 0 });
      await eventually(
        'a Deployment alone',
        async () => (await workloads()).join() === 'deployment.apps/web',
      );
    });

    async function workloads(): Promise<readonly string[]> {
      return (await objectsOf(place().node, namespace, 'web')).filter((object) =>
        /^(daemonset|deployment)\./.test(object),
      );
    }

    it('has the number of Pods that its autoscaler sets, and an edit does not change that', async () => {
      const { node } = place();
      // Nothing measures CPU here, so the autoscaler only enforces its bounds.
      const all = {
        autoscaling: { minReplicas: 2, maxReplicas: 3 },
        networkPolicy: { enabled: true, allowFrom: [{ ipBlock: { cidr: '172.31.0.0/30' } }] },
        podDisruptionBudget: {},
      };
      await serve({ ...all, drainSeconds: 0 });
      expect(await objectsOf(node, namespace, 'web')).to.include.members(companions);
      const scaled = await eventually('two Pods', async () => {
        const deployment = await readDeployment();
        return deployment.spec.replicas === 2 && deployment.status.readyReplicas === 2 && deployment;
      });
      await serve({ ...all, drainSeconds: 1 }, true);
      const { metadata, spec } = await readDeployment();
      expect(spec.replicas).to.equal(2);
      expect(metadata.generation, 'written once').to.equal(scaled.metadata.generation + 1);

      await serve({ replicas: 1, drainSeconds: 1 });
      expect((await readDeployment()).spec.replicas, 'ours again').to.equal(1);
      await eventually('nothing left of them', async () => {
        const objects = await objectsOf(node, namespace, 'web');
        return companions.every((companion) => !objects.includes(companion));
      });
    });

    type Deployment = {
      readonly metadata: { readonly generation: number };
      readonly spec: { readonly replicas: number };
      readonly status: { readonly readyReplicas?: number };
    };

    async function readDeployment(): Promise<Deployment> {
      const path = `/apis/apps/v1/namespaces/${namespace}/deployments/web`;
      return (await place().node.request('GET', path)).json() as Deployment;
    }

    it('is never evicted below its budget, and once another Pod is ready the next one may be evicted', async () => {
      const { node } = place();
      await serve({ replicas: 2, podDisruptionBudget: {}, drainSeconds: 0 });
      await eventually('the budget counted', async () => {
        const path = `/apis/policy/v1/namespaces/${namespace}/poddisruptionbudgets/web`;
        const { status } = (await node.request('GET', path)).json() as {
          status: { disruptionsAllowed?: number };
        };
        return status.disruptionsAllowed === 1;
      });
      const pods = await relayPods(node, namespace, 'web');
      const answers = await Promise.all(pods.map((pod) => evict(node, namespace, pod)));
      expect(answers.toSorted()).to.deep.equal([201, 429]);
      const refused = pods[answers.indexOf(429)] ?? '';
      await eventually('the other one may go', async () => (await evict(node, namespace, refused)) === 201);
      await serve({ replicas: 2, podDisruptionBudget: {}, drainSeconds: 0 }, true);
    });
  });

  describe('on the network of its node', () => {
    let namespace: string;

    before('a namespace that enforces no Pod Security', async () => {
      namespace = await place().node.namespace({ 'realm-operator.dev/allow-host-network': 'true' });
    });

    afterEach(async function () {
      if (this.currentTest?.state === 'failed') await printDiagnosis(place().node, namespace);
    });

    it('answers at the addresses of the node, below port 1024, too', async () => {
      const { node } = place();
      await applyManifest(node, namespace, 'host', manifest('host', 'DaemonSet'));
      expect(await backendAt(node.addresses.ipv6, port)).to.equal('backend-six');
      expect(await backendAt(node.addresses.ipv4, port)).to.equal('backend-four');
    });

    it('reports the conflict of two relays on one node at both, until one is gone', async () => {
      const { node } = place();
      await kubectl(node, ['-n', namespace, 'apply', '-f', '-'], manifest('rival', 'Deployment'));
      await expectAccepted('HostPortConflict', 'rr/host', 'rr/rival');
      await eventually('the scheduler says it, too', async () => {
        const events = ['get', 'events', '--output=jsonpath={.items[*].message}'];
        return (await kubectl(node, ['-n', namespace, ...events])).includes("didn't have free ports");
      });
      expect(await backendAt(node.addresses.ipv4, port)).to.equal('backend-four');
      await kubectl(node, ['-n', namespace, 'delete', 'rr/rival']);
      await expectAccepted('Accepted', 'rr/host');
    });

    function manifest(name: string, kind: string): string {
      const { six, four } = place();
      const more = { workload: { kind, hostNetwork: true }, drainSeconds: 0 };
      return relayManifest(name, webEndpoints(six, four), more);
    }

    async function expectAccepted(reason: string, ...relays: string[]): Promise<void> {
      const condition = `jsonpath={.status.conditions[?(@.type=="Accepted")].reason}=${reason}`;
      await kubectl(place().node, [
        '-n',
        namespace,
        'wait',
        `--for=${condition}`,
        ...relays,
        '--timeout=20s',
      ]);
    }
  });
}

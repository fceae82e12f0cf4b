import { expect } from 'chai';
import { eventually } from '../support/eventually.ts';
import { describeWithCluster } from '../cluster/shared.ts';
import type { Probe } from './dry-run.ts';
import { Edge, type Seen, spec } from './edge.ts';
import { refusal, refuse, type Refused } from './refusing-policy.ts';
import { makeReady } from './every-right.ts';

const json = 'application/json';

/** A change of metadata that an admission policy sees. */
const annotation = { metadata: { annotations: { probe: 'yes' } } };

describeWithCluster('operator whose writes somebody refuses, one kind at a time', (cluster) => {
  let edge: Edge;

  beforeEach(async () => {
    edge = new Edge(cluster(), await cluster().namespace());
    await edge.start();
    await edge.applyRelay('web', spec());
    await edge.expectCondition('web', 'Programmed', 'True', 'Programmed');
  });

  afterEach(() => edge.stop());

  /** Resolves once the status is about the newest spec and has the API server's words, which an event has, too. */
  async function expectReported(): Promise<string> {
    const { message } = await edge.expectCondition('web', 'Programmed', 'False', 'ApplyFailed');
    expect(message).to.include(refusal);
    await edge.expectCondition('web', 'Ready', 'False', 'ApplyFailed');
    await eventually('event', async () => (await edge.eventReasons('web')).includes('ApplyFailed'));
    return message;
  }

  type More = Parameters<typeof spec>[1];
  const deletes: { object: string; refused: Refused; more: More; less: More }[] = [
    {
      object: 'services/web',
      refused: { group: '', version: 'v1', resource: 'services', operations: ['DELETE'] },
      more: {},
      less: { service: { enabled: false } },
    },
    {
      object: 'horizontalpodautoscalers/web',
      refused: {
        group: 'autoscaling',
        version: 'v2',
        resource: 'horizontalpodautoscalers',
        operations: ['DELETE'],
      },
      more: { autoscaling: { maxReplicas: 3 } },
      less: {},
    },
    {
      object: 'networkpolicies/web',
      refused: {
        group: 'networking.k8s.io',
        version: 'v1',
        resource: 'networkpolicies',
        operations: ['DELETE'],
      },
      more: { networkPolicy: { enabled: true } },
      less: {},
    },
  ];
  for (const { object, refused, more, less } of deletes) {
    it(`reports that it may not delete ${object}, and goes on when it may`, async () => {
      await edge.applyRelay('web', spec(8443, more));
      await edge.expect(object);
      const allow = await refuse(edge, refused, { method: 'DELETE', object });
      await edge.applyRelay('web', spec(9443, less));
      expect(await expectReported()).to.match(/^The API server could not delete \w+ "web": /);
      await edge.expect(
        'configmaps/web-config',
        ({ data }) => data?.['config.json']?.includes('9443') === true,
      );
      await allow();
      await edge.expectCondition('web', 'Programmed', 'True', 'Programmed');
      await edge.expectMissing(object);
    });
  }

  it('reports that it may not delete the Service that it is to create again', async () => {
    const before = await edge.expect('services/web');
    const refused: Refused = { group: '', version: 'v1', resource: 'services', operations: ['DELETE'] };
    const allow = await refuse(edge, refused, { method: 'DELETE', object: 'services/web' });
    const service = { recreatePolicy: 'WhenNeeded' } as const;
    await edge.applyRelay('web', spec(8443, { service, network: { ipv6Only: true } }));
    expect(await expectReported()).to.include('could not delete Service "web"');
    await allow();
    await edge.expectCondition('web', 'Programmed', 'True', 'Programmed');
    expect((await edge.expect('services/web')).metadata.uid).not.to.equal(before.metadata.uid);
  });

  it('reports that it may not annotate Pods, and what they run', async function () {
    if (!cluster().hasControllerManager) this.skip(); // it makes the Pods
    const name = await eventually('a Pod', async () => {
      const { items } = (await edge.find('pods')) as unknown as { items: Seen[] };
      return items[0]?.metadata.name;
    });
    await makeReady(edge, name);
    const refused: Refused = { group: '', version: 'v1', resource: 'pods', operations: ['UPDATE'] };
    const probe: Probe = { method: 'PATCH', object: `pods/${name}`, body: annotation };
    const allow = await refuse(edge, refused, probe);
    await edge.applyRelay('web', spec(9443));
    expect(await expectReported()).to.match(/^The API server could not annotate Pod "web-/);
    const { status } = await edge.expect('realmrelays/web');
    expect(status).to.include({ listening: '[::]:9443' });
    await allow();
    await edge.expectCondition('web', 'Programmed', 'True', 'Programmed');
  });

  it('reports a ConfigMap that it may not create', async () => {
    const refused: Refused = { group: '', version: 'v1', resource: 'configmaps', operations: ['CREATE'] };
    const body = { metadata: { name: 'probe' } };
    const allow = await refuse(edge, refused, {
      method: 'POST',
      object: 'configmaps',
      body,
      contentType: json,
    });
    await edge.write('DELETE', 'configmaps/web-config');
    const { message } = await edge.expectCondition('web', 'Programmed', 'False', 'InvalidObject');
    expect(message).to.include(refusal);
    await allow();
    await edge.expectCondition('web', 'Programmed', 'True', 'Programmed');
  });

  it('works as ever although no event may be written', async () => {
    const refused: Refused = {
      group: 'events.k8s.io',
      version: 'v1',
      resource: 'events',
      operations: ['CREATE'],
    };
    const event = {
      metadata: { name: 'probe' },
      eventTime: '2026-01-02T03:04:05.000000Z',
      reportingController: 'a',
      reportingInstance: 'a',
      action: 'a',
      reason: 'a',
      type: 'Normal',
      regarding: { apiVersion: 'v1', kind: 'ConfigMap', namespace: edge.namespace, name: 'probe' },
    };
    await refuse(edge, refused, { method: 'POST', object: 'events', body: event, contentType: json });
    await edge.write('DELETE', 'services/web');
    await edge.expect('services/web');
    await edge.applyRelay('web', spec(9443));
    await edge.expectCondition('web', 'Programmed', 'True', 'Programmed');
    await eventually('log', () => edge.logged.some(({ msg }) => msg === 'failed to write event'));
  });

  it('logs, counts and retries a status that it may not write, does the rest, and leaves an event', async () => {
    const refused: Refused = {
      group: 'realm-operator.dev',
      version: 'v1alpha1',
      resource: 'realmrelays/status',
      operations: ['UPDATE'],
    };
    const body = { status: { listening: 'probe' } };
    const allow = await refuse(edge, refused, { method: 'PATCH', object: 'realmrelays/web/status', body });
    const [first] = spec().endpoints;
    const clash = { ...first, name: 'clash', listen: { address: '0.0.0.0', port: 9443 }, remotes: [] };
    await edge.applyRelay('web', spec(9443));
    await edge.expect(
      'configmaps/web-config',
      ({ data }) => data?.['config.json']?.includes('9443') === true,
    );
    await edge.applyRelay('web', {
      endpoints: [...spec(9443).endpoints, { ...clash, remotes: first?.remotes ?? [] }],
    });
    await eventually('event', async () => (await edge.eventReasons('web')).includes('PortConflict'));
    await eventually('log', () =>
      edge.logged.some(
        ({ msg, err }) =>
          msg === 'failed to write the status, retrying' && JSON.stringify(err).includes(refusal),
      ),
    );
    const metrics = await edge.registry.metrics();
    expect(metrics).to.match(/^realm_operator_status_write_failures_total [1-9]/m);
    await allow();
    await edge.expectCondition('web', 'Programmed', 'False', 'PortConflict');
  });
});

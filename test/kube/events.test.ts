import { expect } from 'chai';
import { Events, type KubeEvent } from '../../src/kube/events.ts';
import { KubeClient } from '../../src/kube/client.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { answerJson, FakeApiServer, statusObject } from './fake-api-server.ts';

const regarding = {
  apiVersion: 'a/v1',
  kind: 'Thing',
  metadata: { name: 'web', namespace: 'edge', uid: 'u', resourceVersion: '7' },
};
const event: KubeEvent = { regarding, type: 'Warning', reason: 'Boom', action: 'Apply', note: 'it broke' };

describe('Events', () => {
  let server: FakeApiServer;
  let client: KubeClient;
  let clock: FakeClock;
  let events: Events;
  let written: { path: string; body: Record<string, unknown> }[];

  beforeEach(async () => {
    written = [];
    server = new FakeApiServer((request, response, url) => {
      let text = '';
      request.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      request.on('end', () => {
        written.push({ path: url.pathname, body: JSON.parse(text) as Record<string, unknown> });
        answerJson(response, {}, 201);
      });
    });
    await server.start();
    clock = new FakeClock();
    client = new KubeClient(server.kubeConfig(), systemClock);
    events = new Events({ client, clock, log: createLogger('off'), instance: 'pod-1' });
  });

  afterEach(async () => {
    await client.close();
    await server.stop();
  });

  it('writes what happened to what, and who reports it', async () => {
    events.record(event);
    await events.flush();
    expect(written[0]?.path).to.equal('/apis/events.k8s.io/v1/namespaces/edge/events');
    expect(written[0]?.body).to.deep.include({
      eventTime: '2026-01-01T00:00:00.000000Z',
      reportingController: 'realm-operator.dev/operator',
      reportingInstance: 'pod-1',
      regarding: {
        apiVersion: 'a/v1',
        kind: 'Thing',
        name: 'web',
        namespace: 'edge',
        uid: 'u',
        resourceVersion: '7',
      },
      reason: 'Boom',
      type: 'Warning',
      note: 'it broke',
    });
  });

  it('writes the same event once in ten minutes, another at once', async () => {
    events.record(event);
    events.record({
      ...event,
      regarding: { ...regarding, metadata: { ...regarding.metadata, resourceVersion: '8' } },
    });
    events.record({ ...event, note: 'it broke otherwise' });
    clock.advance(599_999);
    events.record(event);
    await events.flush();
    expect(written).to.have.lengthOf(2);
    clock.advance(1);
    events.record(event);
    await events.flush();
    expect(written).to.have.lengthOf(3);
  });

  it('cuts a note that the API server would refuse', async () => {
    events.record({ ...event, note: '€'.repeat(5_000) });
    await events.flush();
    expect(Buffer.byteLength(String(written[0]?.body['note']))).to.be.within(1_021, 1_024);
  });

  it('lets nothing fail if an event cannot be written', async () => {
    server.handle = (_request, response) => {
      answerJson(response, statusObject(403, 'Forbidden', 'no'), 403);
    };
    events.record(event);
    await events.flush();
  });
});

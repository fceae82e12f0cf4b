import { expect } from 'chai';
import type { KubeRequest } from '../../src/kube/client.ts';
import { kubeError } from '../../src/kube/kube-error.ts';
import { PodAnnotations } from '../../src/operator/pod-annotations.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { relayPod } from './relay-pods.ts';

describe('annotations of Pods that others remove again and again', () => {
  const pod = relayPod('a');
  let clock: FakeClock;
  let sent: KubeRequest[];
  let annotations: PodAnnotations;

  beforeEach(() => {
    clock = new FakeClock();
    sent = [];
    const request = (each: KubeRequest): Promise<unknown> => {
      sent.push(each);
      return Promise.resolve({});
    };
    annotations = new PodAnnotations({ request }, clock);
  });

  it('come back three times at once, and then after waits that grow', async () => {
    const waits: number[] = [];
    for (let round = 0; round < 6; round += 1) {
      const waitMs = await annotations.annotate(pod, 'new');
      waits.push(waitMs);
      clock.advance(waitMs);
      if (waitMs > 0) expect(await annotations.annotate(pod, 'new'), 'the wait is over').to.equal(0);
    }
    expect(waits).to.deep.equal([0, 0, 0, 1_000, 2_000, 4_000]);
    expect(sent).to.have.length(6);
  });

  it('wait for nothing if the configuration is another one, or the Pod', async () => {
    for (let round = 0; round < 4; round += 1) await annotations.annotate(pod, 'new');
    expect(sent).to.have.length(3);
    expect(await annotations.annotate(pod, 'newer')).to.equal(0);
    expect(await annotations.annotate(relayPod('b'), 'new')).to.equal(0);
    expect(sent).to.have.length(5);
  });

  for (const status of [404, 409])
    it(`are not missed on a Pod that is gone (${String(status)})`, async () => {
      const gone = new PodAnnotations({ request: () => Promise.reject(kubeError(status, '')) }, clock);
      expect(await gone.annotate(pod, 'new')).to.equal(0);
    });
});

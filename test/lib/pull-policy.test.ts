import { expect } from 'chai';
import { defaultPullPolicy } from '../../src/lib/image-reference.ts';

describe('pull policy of an image', () => {
  const digest = `sha256:${'0'.repeat(64)}`;
  for (const [image, policy, why] of [
    ['relay', 'Always', 'no tag is latest'],
    ['registry.example:5000/relay', 'Always', 'a colon before a slash belongs to the port'],
    ['registry.example/relay:latest', 'Always', 'the tag latest'],
    ['registry.example/relay:1.2', 'IfNotPresent', 'another tag'],
    [`registry.example/relay@${digest}`, 'IfNotPresent', 'a digest names one image for ever'],
    [`registry.example/relay:latest@${digest}`, 'IfNotPresent', 'with a digest the tag does not count'],
    ['Not An Image', 'IfNotPresent', 'no reference, as for Kubernetes'],
  ] as const) {
    it(`${image}: ${policy}: ${why}`, () => {
      expect(defaultPullPolicy(image)).to.equal(policy);
    });
  }
});

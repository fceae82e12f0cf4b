import { expect } from 'chai';
import { parseRelayDefaults, withDefaults } from '../../src/api/relay-defaults.ts';
import { problemText } from '../../src/lib/problem.ts';
import { relay } from '../support/realm-relays.ts';

const document = {
  resources: { requests: { cpu: '10m' }, limits: { memory: '64Mi' } },
  podTemplate: {
    metadata: { labels: { team: 'platform', tier: 'edge' }, annotations: { note: 'default' } },
    spec: {
      nodeSelector: { pool: 'edge' },
      imagePullSecrets: [{ name: 'registry' }],
      priorityClassName: 'low',
      topologySpreadConstraints: [
        { topologyKey: 'zone', maxSkew: 1, whenUnsatisfiable: 'DoNotSchedule' as const },
      ],
    },
  },
};

describe('relay defaults', () => {
  const { defaults } = parseRelayDefaults(document);
  if (defaults === undefined) throw new Error('they are valid');

  it('are what a relay has that leaves everything out', () => {
    const { resources, podTemplate } = withDefaults(relay(), defaults);
    expect(resources).to.deep.equal(document.resources);
    expect(podTemplate).to.deep.include({
      labels: { team: 'platform', tier: 'edge' },
      nodeSelector: { pool: 'edge' },
      imagePullSecrets: ['registry'],
      priorityClassName: 'low',
    });
    expect(podTemplate.topologySpreadConstraints).to.have.lengthOf(1);
  });

  it('yield to a relay field by field, labels and annotations key by key', () => {
    const own = relay(undefined, {
      resources: { limits: { memory: '1Gi' } },
      podTemplate: {
        metadata: { labels: { team: 'own' } },
        spec: { nodeSelector: { zone: 'a' }, topologySpreadConstraints: [] },
      },
    });
    const { resources, podTemplate } = withDefaults(own, defaults);
    expect(resources).to.deep.equal({ requests: { cpu: '10m' }, limits: { memory: '1Gi' } });
    expect(podTemplate).to.deep.include({
      labels: { team: 'own', tier: 'edge' },
      annotations: { note: 'default' },
      nodeSelector: { zone: 'a' },
      topologySpreadConstraints: [],
      imagePullSecrets: ['registry'],
    });
  });

  const refused = [
    { document: 'a', problem: 'document: has the wrong type, got "a": give a mapping of fields' },
    {
      document: { podTemplates: {} },
      problem: 'podTemplates: is an unknown key and has no effect: did you mean "podTemplate"?',
    },
    {
      document: { podTemplate: { spec: { imagePullSecret: [] } } },
      problem:
        'podTemplate.spec.imagePullSecret: is an unknown key and has no effect: did you mean "imagePullSecrets"?',
    },
    {
      document: { podTemplate: { metadata: { labels: { a: '-' } } } },
      problem: 'podTemplate.metadata.labels.a: is no value of a label, got "-": use at most 63 letters',
    },
    {
      document: { resources: { limits: { memory: 'much' } } },
      problem: 'resources.limits.memory: is not valid, got "much": use a quantity',
    },
  ];
  for (const { document, problem } of refused) {
    it(`are refused: ${JSON.stringify(document)}`, () => {
      const { defaults, problems } = parseRelayDefaults(document);
      expect(defaults).to.equal(undefined);
      expect(problems.map(problemText).join()).to.include(problem);
    });
  }
});

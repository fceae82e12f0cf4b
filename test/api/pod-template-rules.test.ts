import { expect } from 'chai';
import { customResourceDefinition } from '../../src/api/crd.ts';
import { parseRealmRelay } from '../../src/api/parse.ts';
import type { RealmRelaySpec } from '../../src/api/schema/realm-relay.ts';
import { pathText } from '../../src/lib/problem.ts';
import { endpoint, realmRelay } from '../support/realm-relays.ts';

type PodTemplate = NonNullable<RealmRelaySpec['podTemplate']>;

const spread = { maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable: 'ScheduleAnyway' } as const;
const path = 'spec.podTemplate';

describe('rules of the Pod template', () => {
  const cases: { podTemplate: PodTemplate; problems: string[]; warnings: string[]; why: string }[] = [
    {
      podTemplate: { metadata: { labels: { 'app.kubernetes.io/name': 'x', 'pod-template-hash': 'y' } } },
      problems: [],
      warnings: [
        `${path}.metadata.labels.app.kubernetes.io/name`,
        `${path}.metadata.labels.pod-template-hash`,
      ],
      why: 'users cannot set labels that the operator selects Pods by',
    },
    {
      podTemplate: { metadata: { labels: { 'app.kubernetes.io/version': '1' } } },
      problems: [],
      warnings: [],
      why: 'the operator sets no version label on Pods',
    },
    {
      podTemplate: { metadata: { annotations: { 'realm-operator.dev/config-hash': 'x' } } },
      problems: [],
      warnings: [`${path}.metadata.annotations.realm-operator.dev/config-hash`],
      why: 'users cannot set annotations of the operator',
    },
    {
      podTemplate: {
        metadata: {
          annotations: {
            'container.apparmor.security.beta.kubernetes.io/relay': 'unconfined',
            'seccomp.security.alpha.kubernetes.io/pod': 'unconfined',
          },
        },
      },
      problems: [
        `${path}.metadata.annotations.container.apparmor.security.beta.kubernetes.io/relay`,
        `${path}.metadata.annotations.seccomp.security.alpha.kubernetes.io/pod`,
      ],
      warnings: [],
      why: 'annotations that weaken the security of the Pods are rejected',
    },
    {
      podTemplate: { metadata: { labels: { a: '-' } }, spec: { nodeSelector: { 'a b': 'c' } } },
      problems: [`${path}.metadata.labels.a`, `${path}.spec.nodeSelector.a b`],
      warnings: [],
      why: 'the API server would reject them',
    },
    {
      podTemplate: {
        spec: {
          imagePullSecrets: [{ name: 'a' }, { name: 'b' }, { name: 'a' }],
          topologySpreadConstraints: [spread, { ...spread, whenUnsatisfiable: 'DoNotSchedule' }, spread],
        },
      },
      problems: [`${path}.spec.imagePullSecrets[2]`, `${path}.spec.topologySpreadConstraints[2]`],
      warnings: [],
      why: 'keys of map lists must be unique',
    },
    {
      podTemplate: { spec: { hostNetwork: true, securityContext: { runAsUser: 0 } } as never },
      problems: [],
      warnings: [`${path}.spec.hostNetwork`, `${path}.spec.securityContext`],
      why: 'the list of fields is closed',
    },
  ];
  for (const { podTemplate, problems, warnings, why } of cases) {
    it(`${JSON.stringify(podTemplate)}: ${why}`, () => {
      const read = parseRealmRelay(realmRelay([endpoint()], { podTemplate }));
      expect(read.problems.map((problem) => pathText(problem.path))).to.deep.equal(problems);
      expect(read.warnings.map((problem) => pathText(problem.path))).to.deep.equal(warnings);
    });
  }
});

describe('the CRD', () => {
  it('is small enough for client-side apply, which keeps a copy in an annotation', () => {
    expect(JSON.stringify(customResourceDefinition()).length).to.be.below(200 * 1024);
  });
});

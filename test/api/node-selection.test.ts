import { expect } from 'chai';
import { maySelectOneNode } from '../../src/api/node-selection.ts';
import type { NodeRequirement, PodTemplate } from '../../src/api/relay.ts';
import { relay } from '../support/realm-relays.ts';

type Term = readonly NodeRequirement[];

/** A Pod template that selects nodes by these labels and, if there are terms, by one of those. */
function selecting(nodeSelector: Record<string, string>, ...terms: Term[]): PodTemplate {
  const nodeSelectorTerms = terms.map((matchExpressions) => ({ matchExpressions }));
  return withTerms(nodeSelector, nodeSelectorTerms);
}

function withTerms(
  nodeSelector: Record<string, string>,
  nodeSelectorTerms: readonly { matchExpressions?: Term; matchFields?: Term }[],
): PodTemplate {
  const required = { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } };
  const affinity = nodeSelectorTerms.length === 0 ? {} : { nodeAffinity: required };
  return { ...relay().podTemplate, nodeSelector, affinity };
}

const isIn = (key: string, ...values: string[]): NodeRequirement => ({ key, operator: 'In', values });
const isNotIn = (key: string, ...values: string[]): NodeRequirement => ({ key, operator: 'NotIn', values });
const exists = (key: string): NodeRequirement => ({ key, operator: 'Exists' });
const doesNotExist = (key: string): NodeRequirement => ({ key, operator: 'DoesNotExist' });
const isAbove = (key: string, value: string): NodeRequirement => ({ key, operator: 'Gt', values: [value] });

describe('maySelectOneNode', () => {
  const anywhere = selecting({});
  const onA = selecting({ pool: 'a' });
  const cases: { a: PodTemplate; b: PodTemplate; meet: boolean; why: string }[] = [
    { a: anywhere, b: anywhere, meet: true, why: 'both allow every node' },
    { a: onA, b: anywhere, meet: true, why: 'one allows every node' },
    { a: onA, b: onA, meet: true, why: 'the same label' },
    { a: onA, b: selecting({ pool: 'b' }), meet: false, why: 'another value of a label' },
    { a: onA, b: selecting({ disk: 'fast' }), meet: true, why: 'a node may have both labels' },
    { a: onA, b: selecting({}, [isIn('pool', 'b', 'c')]), meet: false, why: 'In without the label’s value' },
    { a: onA, b: selecting({}, [isIn('pool', 'a', 'b')]), meet: true, why: 'In with the label’s value' },
    { a: onA, b: selecting({}, [isNotIn('pool', 'a')]), meet: false, why: 'NotIn with the label’s value' },
    { a: onA, b: selecting({}, [isNotIn('pool', 'b')]), meet: true, why: 'NotIn without it' },
    {
      a: onA,
      b: selecting({}, [doesNotExist('pool')]),
      meet: false,
      why: 'one requires the label, the other excludes it',
    },
    { a: onA, b: selecting({}, [exists('pool')]), meet: true, why: 'it has the label' },
    {
      a: selecting({}, [exists('edge')]),
      b: selecting({}, [doesNotExist('edge')]),
      meet: false,
      why: 'with and without a label',
    },
    {
      a: selecting({}, [isNotIn('pool', 'a')]),
      b: selecting({}, [doesNotExist('pool')]),
      meet: true,
      why: 'NotIn matches an absent label',
    },
    {
      a: selecting({}, [isNotIn('pool', 'a')]),
      b: selecting({}, [isNotIn('pool', 'b')]),
      meet: true,
      why: 'other values are possible',
    },
    {
      a: selecting({}, [isIn('pool', 'a', 'b')]),
      b: selecting({}, [isIn('pool', 'b', 'c'), isNotIn('pool', 'b')]),
      meet: false,
      why: 'the only common value is excluded',
    },
    {
      a: selecting({ pool: 'a' }, [exists('edge')]),
      b: selecting({ pool: 'b' }, [exists('edge')]),
      meet: false,
      why: 'labels apply in addition to each term',
    },
    {
      a: onA,
      b: selecting({}, [isIn('pool', 'b')], [isIn('disk', 'fast')]),
      meet: true,
      why: 'one term of several is enough',
    },
    {
      a: onA,
      b: selecting({}, [isIn('pool', 'b')], [isIn('pool', 'c')]),
      meet: false,
      why: 'every term excludes it',
    },
    {
      a: selecting({}, [isAbove('cores', '8')]),
      b: selecting({}, [isIn('cores', '4')]),
      meet: true,
      why: 'numbers are not compared: in doubt, a conflict is reported',
    },
    {
      a: selecting({}, [isAbove('cores', '8')]),
      b: selecting({}, [doesNotExist('cores')]),
      meet: false,
      why: 'a compared label must exist',
    },
    { a: onA, b: withTerms({}, [{}]), meet: true, why: 'an empty term: in doubt, a conflict is reported' },
    {
      a: withTerms({}, [{ matchFields: [isIn('metadata.name', 'node-1')] }]),
      b: withTerms({}, [{ matchFields: [isIn('metadata.name', 'node-2')] }]),
      meet: false,
      why: 'nodes with different names',
    },
    {
      a: withTerms({}, [{ matchFields: [isIn('metadata.name', 'node-1')] }]),
      b: selecting({ 'metadata.name': 'node-2' }),
      meet: true,
      why: 'a label is not a field',
    },
  ];
  for (const { a, b, meet, why } of cases) {
    it(why, () => {
      expect([maySelectOneNode(a, b), maySelectOneNode(b, a)]).to.deep.equal([meet, meet]);
    });
  }
});

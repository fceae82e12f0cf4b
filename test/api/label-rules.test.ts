import { expect } from 'chai';
import { parseRealmRelay } from '../../src/api/parse.ts';
import { annotationSizeProblems } from '../../src/api/label-rules.ts';
import { problemText } from '../../src/lib/problem.ts';
import { realmRelay } from '../support/realm-relays.ts';

const path = ['annotations'];

describe('annotationSizeProblems', () => {
  const most = { a: 'x'.repeat(65_536), b: `${'あ'.repeat(64_852)}xx` };
  const cases = [
    { annotations: most, problems: 0, why: 'as much as fits' },
    { annotations: { ...most, b: `${most.b}x` }, problems: 1, why: 'a byte too many' },
    { annotations: { a: 'x'.repeat(130_000) }, problems: 0, why: 'half of it' },
  ];
  for (const { annotations, problems, why } of cases) {
    it(`counts the bytes of keys and values, not their characters: ${why}`, () => {
      expect(annotationSizeProblems(annotations, path)).to.have.lengthOf(problems);
    });
  }

  it('adds those of every object', () => {
    const half = { 'example.com/a': 'x'.repeat(65_536), 'example.com/b': 'x'.repeat(65_536) };
    const service = { annotations: { c: 'x'.repeat(65_536), d: 'x'.repeat(65_536) } };
    const { problems } = parseRealmRelay(
      realmRelay(undefined, { service, commonMetadata: { annotations: half } }),
    );
    expect(problems.map(({ path }) => path.join('.'))).to.deep.equal(['spec.service.annotations']);
  });

  it('names how much there is and how much may be, for Pods and for the Service', () => {
    const annotations = Object.fromEntries(['a', 'b'].map((key) => [key, 'あ'.repeat(50_000)]));
    const { problems } = parseRealmRelay(
      realmRelay(undefined, { service: { annotations }, podTemplate: { metadata: { annotations } } }),
    );
    const what =
      'take 300002 bytes in all, keys and values, with those of spec.commonMetadata: use at most 260096 bytes; the API server allows 256 KiB, with those of the operator';
    expect(problems.map(problemText)).to.deep.equal([
      `spec.service.annotations: ${what}`,
      `spec.podTemplate.metadata.annotations: ${what}`,
    ]);
  });
});

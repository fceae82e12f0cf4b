import { expect } from 'chai';
import { YamlError, yamlDocuments } from '../../src/cli/yaml-documents.ts';

describe('yamlDocuments', () => {
  it('knows the line of every value, in blocks, in flow and in JSON', () => {
    const [document] = yamlDocuments(
      '# first\na: 1\nb:\n  - {c: 2,\n     d: 3}\n  - "e": {"f": [4,\n      5]}\n',
    );
    const lines = [['a'], ['b'], ['b', 0, 'c'], ['b', 0, 'd'], ['b', 1, 'e', 'f', 1]].map((path) =>
      document?.lineOf(path),
    );
    expect(lines).to.deep.equal([2, 4, 4, 5, 7]);
  });

  it('reports a missing value with the line of what it is missing in', () => {
    const [document] = yamlDocuments('a:\n  b: {}\n');
    expect(document?.lineOf(['a', 'b', 'missing', 0])).to.equal(2);
  });

  it('reads several documents, with lines of the whole file, and leaves out empty ones', () => {
    const documents = yamlDocuments('a: 1\n---\n# nothing\n---\nb: 2\n');
    expect(documents.map(({ value }) => value)).to.deep.equal([{ a: 1 }, { b: 2 }]);
    expect(documents[1]?.lineOf(['b'])).to.equal(5);
  });

  it('reads YAML 1.1, as kubectl does', () => {
    expect(yamlDocuments('port: 0443\nenabled: on\n')[0]?.value).to.deep.equal({ port: 291, enabled: true });
  });

  it('warns of an unquoted address that starts with a colon, which kubectl reads otherwise', () => {
    const [document] = yamlDocuments('listen: {address: ::1, port: 1}\nquoted: "::1"\n');
    expect(document?.warnings.map(({ path, value }) => [path.join('.'), value])).to.deep.equal([
      ['listen.address', '::1'],
    ]);
  });

  it('refuses a document whose aliases expand without measure, at once', () => {
    const levels = 'bcdefghij'.split('').map((name, index) => {
      const below = `*${'abcdefghij'.charAt(index)}`;
      return `${name}: &${name} [${Array(9).fill(below).join(', ')}]`;
    });
    const bomb = ['a: &a [x, x, x, x, x, x, x, x, x]', ...levels].join('\n');
    expect(() => yamlDocuments(bomb))
      .to.throw(YamlError, 'aliases')
      .with.property('line', 6);
  });

  it('reads an alias of reasonable size', () => {
    expect(yamlDocuments('a: &n {x: 1}\nb: *n\n')[0]?.value).to.deep.equal({ a: { x: 1 }, b: { x: 1 } });
  });

  const refused = [
    { text: 'a: [1\nb: 2', line: 2, why: 'is not YAML' },
    { text: 'a: 1\na: 2', line: 2, why: 'duplicated mapping key' },
    { text: `a: ${'x'.repeat(5 * 1024 * 1024)}`, line: 1, why: 'characters' },
    { text: 'x: *nothing', line: 1, why: 'alias' },
  ];
  for (const { text, line, why } of refused) {
    it(`refuses ${JSON.stringify(text.slice(0, 12))}, naming the line`, () => {
      expect(() => yamlDocuments(text))
        .to.throw(YamlError, why)
        .with.property('line', line);
    });
  }
});

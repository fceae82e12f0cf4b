import { expect } from 'chai';
import { yamlDocuments } from '../../src/cli/yaml-documents.ts';
import { problemText, type Path } from '../../src/lib/problem.ts';

/** `line:column` of the value at each of `paths`. */
function places(text: string, paths: readonly Path[]): string[] {
  const [document] = yamlDocuments(text);
  return paths.map((path) => {
    const position = document?.positionOf(path);
    return `${String(position?.line)}:${String(position?.column)}`;
  });
}

function problems(text: string): string[] {
  return yamlDocuments(text).flatMap((document) =>
    document.problems.map(
      ({ line, column, problem }) => `${String(line)}:${String(column)}: ${problemText(problem)}`,
    ),
  );
}

describe('yamlDocuments', () => {
  it('knows the position of every value, in blocks, in flow and in JSON', () => {
    const text = '# first\na: 1\nb:\n  - {c: 2,\n     d: 3}\n  - "e": {"f": [4,\n      5]}\n';
    const paths = [['a'], ['b'], ['b', 0, 'c'], ['b', 0, 'd'], ['b', 1, 'e', 'f', 1]];
    expect(places(text, paths)).to.deep.equal(['2:4', '4:3', '4:9', '5:9', '7:7']);
  });

  it('knows the position of keys, and counts the lines of Windows and of UTF-16', () => {
    const [document] = yamlDocuments('a:\r\n  b: 1\r\n  "c": \u{1F600}x\r\n');
    expect(document?.keyPositionOf(['a', 'b'])).to.deep.equal({ line: 2, column: 3 });
    expect(document?.keyPositionOf(['a', 'c'])).to.deep.equal({ line: 3, column: 3 });
  });

  it('reports a missing value with the position of what it is missing in', () => {
    expect(places('a:\n  b: {}\n', [['a', 'b', 'missing', 0]])).to.deep.equal(['2:6']);
  });

  it('reads several documents, with positions in the whole file, and leaves out empty ones', () => {
    const documents = yamlDocuments('a: 1\n---\n# nothing\n---\nb: 2\n--- {c: 3}\n');
    expect(documents.map(({ value }) => value)).to.deep.equal([{ a: 1 }, { b: 2 }, { c: 3 }]);
    expect(documents[1]?.positionOf(['b'])).to.deep.equal({ line: 5, column: 4 });
  });

  it('reads objects of JSON one after the other, as jq writes them', () => {
    const documents = yamlDocuments('{"a": "}{"}\n{\n  "b": 2\n} {"c": "\\/"}\n---\n{"d": 4}\n');
    expect(documents.map(({ value }) => value)).to.deep.equal([{ a: '}{' }, { b: 2 }, { c: '/' }, { d: 4 }]);
    expect(documents[1]?.positionOf(['b'])).to.deep.equal({ line: 3, column: 8 });
    expect(problems('{"a": 1}\n{"b": 1\n')).to.deep.equal([
      '2:1: document: is not YAML: a "{" is not closed: add "}"',
    ]);
  });

  it('knows the position of values in and after brackets whose lines are not indented', () => {
    const text = 'a:\n  b: {c: ::, d: [1,\n2,\n\t3]\n}\n  e: 5\n';
    const paths = [
      ['a', 'b', 'd', 0],
      ['a', 'b', 'd', 1],
      ['a', 'b', 'd', 2],
      ['a', 'e'],
    ];
    expect(places(text, paths)).to.deep.equal(['2:18', '3:1', '4:2', '6:6']);
  });

  it('reads the documents beside one that is not YAML', () => {
    const documents = yamlDocuments('a: 1\n---\nb: [1\n---\nc: 2\n');
    expect(documents.map(({ value }) => value)).to.deep.equal([{ a: 1 }, undefined, { c: 2 }]);
    expect(problems('a: 1\n---\nb: [1\n---\nc: 2\n')).to.deep.equal([
      '3:4: document: is not YAML: a "[" is not closed: add "]"',
    ]);
  });

  it('keeps directives with their document', () => {
    expect(yamlDocuments('%YAML 1.1\n# a comment\n---\na: 1\n').map(({ value }) => value)).to.deep.equal([
      { a: 1 },
    ]);
  });

  it('reads YAML 1.1 as Kubernetes does', () => {
    const text = 'octal: 0443\nbool: on\nfloat: 1e3\nbase60: 22:30\ndate: 2024-01-31\ntag: !mine x\n';
    expect(yamlDocuments(text)[0]?.value).to.deep.equal({
      ...{ octal: 291, bool: true, float: 1000, base60: '22:30', date: '2024-01-31', tag: 'x' },
    });
  });

  const own = 'kind: RealmRelay\n';

  it('reports several problems of a document at once, each at its value', () => {
    const text = `${own}listen: {address: ::, port: 1}\nthrough: ::\nport: 1\nport: 2\nmore: [::1, ::]\n`;
    expect(problems(text)).to.deep.equal([
      '5:1: port: is a duplicate key, which line 4 has, too: remove one of the two',
      '6:8: more[0]: begins with a colon, which kubectl does not read inside { } and [ ], got "::1": quote "::1" inside { } and [ ]',
      '6:13: more[1]: begins with a colon, which kubectl does not read inside { } and [ ], got "::": quote "::" inside { } and [ ]',
      '2:19: listen.address: begins with a colon, which kubectl does not read inside { } and [ ], got "::": quote "::" inside { } and [ ]',
      '3:10: through: ends with a colon, which kubectl reads as that of a key, got "::": quote "::"',
    ]);
  });

  it('knows positions behind addresses that it has quoted', () => {
    const text = `${own}listen: {address: ::, port: 1}\nb: {c: fe80::, d: 2}\n`;
    expect(
      places(text, [
        ['listen', 'port'],
        ['b', 'c'],
        ['b', 'd'],
      ]),
    ).to.deep.equal(['2:29', '3:8', '3:19']);
  });

  it('reports every tab that indents an empty line or a comment', () => {
    expect(problems(`${own}a: 1\n\t\n \t# c\nb: |\n  x\n\t\nc: [1,\n\t\n 2]\n`)).to.deep.equal([
      '3:1: document: is not YAML: a tab indents a line: use spaces',
      '4:2: document: is not YAML: a tab indents a line: use spaces',
      '7:1: document: is not YAML: a tab indents a line: use spaces',
    ]);
  });

  it('refuses a document whose aliases expand without measure, at once', () => {
    const levels = 'bcdefghij'.split('').map((name, index) => {
      const below = `*${'abcdefghij'.charAt(index)}`;
      return `${name}: &${name} [${Array(9).fill(below).join(', ')}]`;
    });
    const bomb = ['a: &a [x, x, x, x, x, x, x, x, x]', ...levels].join('\n');
    expect(problems(bomb)[0]).to.match(/^6:\d+: document: has aliases that expand/);
  });

  it('reads an alias of reasonable size', () => {
    expect(yamlDocuments('a: &n {x: 1}\nb: *n\n')[0]?.value).to.deep.equal({ a: { x: 1 }, b: { x: 1 } });
  });

  it('refuses a text that is too long', () => {
    expect(problems(`a: ${'x'.repeat(5 * 1024 * 1024)}`)[0]).to.contain('characters: use at most');
  });

  it('reads many sections, and many addresses to quote, in a moment', () => {
    expect(yamlDocuments('---\na: 1\n'.repeat(50_000))).to.have.length(50_000);
    expect(problems(`${own}a: [${'::, '.repeat(60)}1]\n`).length).to.be.within(50, 61);
  });
});

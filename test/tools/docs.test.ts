import { existsSync, globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect } from 'chai';
import { version } from '../../src/lib/version.ts';
import { blockProblems } from '../../tools/docs/block-kinds.ts';
import { linkProblems } from '../../tools/docs/links.ts';
import { pageProblemText } from '../../tools/docs/page-problem.ts';
import { parsedPage, readPages } from '../../tools/docs/pages.ts';
import { writeSite } from '../../tools/docs/site.ts';
import { expectAccessible } from '../support/accessibility.ts';
import { describeWithChromium } from '../support/browser.ts';
import { eventually } from '../support/eventually.ts';
import { matches } from '../e2e/guides/guide.ts';
import { scenes } from '../e2e/guides/scenes.ts';

const root = join(import.meta.dirname, '..', '..');
const pages = readPages(root);
const exampleText = readFileSync(join(root, 'examples', 'cluster', 'web.yaml'), 'utf8');

/** The problems of a page in docs/ with this text. */
function problemsOf(source: string): readonly string[] {
  const page = parsedPage('docs/page.md', source);
  return [...linkProblems([...pages, page], root), ...blockProblems(page.blocks)].map(pageProblemText);
}

const fenced = (info: string, text: string): string => `\`\`\`${info}\n${text}\n\`\`\`\n`;

describe('the documentation', () => {
  it('has no dead link, and no command that no test runs', () => {
    const problems = [...linkProblems(pages, root), ...blockProblems(pages.flatMap(({ blocks }) => blocks))];
    expect(problems.map(pageProblemText)).to.deep.equal([]);
  });

  it('names every event that happens while its commands run', () => {
    const named = pages.flatMap(({ path, blocks }) =>
      blocks.filter(({ language }) => language === 'event').map(({ text }) => `${path}: ${text}`),
    );
    const known = Object.entries(scenes).flatMap(([path, { events }]) =>
      Object.keys(events ?? {}).map((name) => `${path}: ${name}`),
    );
    expect(named).to.have.members(known);
  });

  it('has examples with the image of this version', () => {
    const [, tag] = /realm-operator\/realm-operator:(\S+)/.exec(exampleText) ?? [];
    expect(tag).to.equal(version);
  });

  const dead: { source: string; problem: string; why: string }[] = [
    { source: '[x](nowhere.md)', problem: 'does not exist', why: 'a file that is missing' },
    {
      source: '[x](relay.md#nowhere)',
      problem: 'a heading that docs/relay.md does not have',
      why: 'an anchor',
    },
    {
      source: '# A\n[x](#b)',
      problem: 'a heading that docs/page.md does not have',
      why: 'an anchor of its own',
    },
    { source: '![x](images/none.svg)', problem: 'does not exist', why: 'a picture' },
    { source: '<img src="images/none.svg">', problem: 'does not exist', why: 'a picture in HTML' },
    { source: '[x](../../outside)', problem: 'does not exist', why: 'a path outside of the repository' },
    { source: '[x](http://[)', problem: 'no URL', why: 'no URL' },
    { source: '[x](../package.json#name)', problem: 'is no page', why: 'an anchor in a file that has none' },
    { source: '[a]: gone.md\n\n[x][a]', problem: 'does not exist', why: 'a reference' },
    { source: fenced('', 'make run'), problem: 'has the kind ""', why: 'a block without a kind' },
    { source: fenced('bash', 'make run'), problem: 'has the kind "bash"', why: 'a kind that nothing checks' },
    {
      source: fenced('sh', 'make run'),
      problem: 'nothing runs these commands',
      why: 'commands without a place',
    },
    {
      source: fenced('sh host twice', 'true'),
      problem: '"twice" is unknown',
      why: 'a word that means nothing',
    },
    {
      source: fenced('text', '$ kubectl get pods'),
      problem: 'a command that no test runs',
      why: 'a hidden command',
    },
    {
      source: fenced('conf', 'kubectl get pods'),
      problem: 'a command that no test runs',
      why: 'a hidden command',
    },
    { source: fenced('text output', 'x'), problem: 'follows no command block', why: 'output of nothing' },
    {
      source: fenced('sh tested-by=test/none.ts', 'x'),
      problem: 'there is no test',
      why: 'a test that is missing',
    },
    {
      source: fenced('sh tested-by=test/golden.ts', 'x'),
      problem: 'does not name docs/page.md',
      why: 'a test of something else',
    },
    { source: fenced('yaml', 'a: ['), problem: 'cannot be read', why: 'broken YAML' },
    { source: fenced('json', '{"a":}'), problem: 'cannot be read', why: 'broken JSON' },
    { source: fenced('toml', 'a = '), problem: 'cannot be read', why: 'broken TOML' },
    {
      source: fenced(
        'yaml',
        'kind: RealmRelay\napiVersion: realm-operator.dev/v1alpha1\nmetadata: {name: a}\nspec: {}',
      ),
      problem: 'spec.endpoints',
      why: 'a RealmRelay that is not valid',
    },
    {
      source: fenced('json', '{"endpoints": [{"listen": "x"}]}'),
      problem: 'listen',
      why: 'a configuration that is not valid',
    },
  ];
  for (const { source, problem, why } of dead) {
    it(`is checked for ${why}: ${JSON.stringify(source.split('\n')[0])}`, () => {
      const [found, ...others] = problemsOf(source);
      expect(found)
        .to.match(/^docs\/page\.md:\d+: /)
        .and.include(problem);
      expect(others.filter((other) => !other.includes(problem))).to.deep.equal([]);
    });
  }

  const fine: { source: string; why: string }[] = [
    {
      source: '[x](relay.md#udp) [y](adr) [z](../Makefile) [h](https://example.com/)',
      why: 'links that lead somewhere',
    },
    { source: '# A `b` (c)!\n# A `b` (c)!\n[x](#a-b-c) [y](#a-b-c-1)', why: 'anchors as GitHub makes them' },
    { source: `${fenced('sh host', 'true')}${fenced('text output', '')}`, why: 'commands and their output' },
    { source: '`[x](nowhere.md)`', why: 'code that looks like a link' },
  ];
  for (const { source, why } of fine) {
    it(`may have ${why}`, () => {
      expect(problemsOf(source)).to.deep.equal([]);
    });
  }

  const outputs: { printed: string; shown: string; isMatch: boolean }[] = [
    { printed: 'a\nb\n', shown: 'a\nb\n', isMatch: true },
    { printed: 'a\nb\n', shown: 'a\n', isMatch: false },
    { printed: 'a 12 c', shown: 'a … c', isMatch: true },
    { printed: 'a\nb\nc', shown: '…\nc', isMatch: true },
    { printed: 'a.c', shown: 'a.c', isMatch: true },
    { printed: 'abc', shown: 'a.c', isMatch: false },
  ];
  for (const { printed, shown, isMatch } of outputs) {
    it(`${isMatch ? 'takes' : 'does not take'} ${JSON.stringify(printed)} for ${JSON.stringify(shown)}`, () => {
      expect(matches(printed, shown)).to.equal(isMatch);
    });
  }
});

const folder = mkdtempSync(join(tmpdir(), 'realm-operator-site-'));
before(() => {
  writeSite(pages, root, folder);
});
after(() => {
  rmSync(folder, { recursive: true });
});

describe('the site of the documentation', () => {
  it('works from a folder: every file that a page names is there, and nothing comes from elsewhere', () => {
    const files = globSync('**/*.html', { cwd: folder });
    expect(files).to.include.members(['index.html', 'docs/concepts.html', 'docs/adr/index.html']);
    for (const file of files) {
      const html = readFileSync(join(folder, file), 'utf8');
      for (const [, name = '', href = ''] of html.matchAll(/ (src|href)="([^"#]+)/g)) {
        if (/^https?:/.test(href)) expect(name, `${file} loads ${href}`).to.equal('href');
        else expect(existsSync(join(folder, dirname(file), href)), `${file}: ${href}`).to.equal(true);
      }
    }
  });

  it('has every anchor that its links name', () => {
    for (const file of globSync('**/*.html', { cwd: folder })) {
      const html = readFileSync(join(folder, file), 'utf8');
      for (const [, href = '', anchor = ''] of html.matchAll(/ href="([^":#]*)#([^"]+)"/g)) {
        const target = href === '' ? file : join(dirname(file), href);
        const text = readFileSync(join(folder, target), 'utf8');
        expect(text.includes(`id="${decodeURIComponent(anchor)}"`), `${file}: ${href}#${anchor}`).to.equal(
          true,
        );
      }
    }
  });

  it('lists each page in its menu once, and finds each by its headings', () => {
    const html = readFileSync(join(folder, 'index.html'), 'utf8');
    const menu = html.slice(html.indexOf('<nav'), html.indexOf('</nav>'));
    const listed = [...menu.matchAll(/ href="([^"]+)"/g)].map(([, href]) => href);
    expect(new Set(listed).size).to.equal(listed.length);
    expect(listed).to.include.members(['index.html', 'docs/quickstart.html', 'docs/how-to/redis.html']);
    const data = readFileSync(join(folder, 'search-data.js'), 'utf8');
    for (const { headings } of pages) {
      for (const { anchor } of headings) expect(data).to.include(`#${anchor}"`);
    }
  });
});

describeWithChromium('the site in a browser, from a folder', (browser) => {
  const address = (page: string): string => pathToFileURL(join(folder, page)).href;

  async function open(page: string): Promise<void> {
    await browser().open(address(page));
    const isLoaded = `location.href === ${JSON.stringify(address(page))} && document.readyState === 'complete'`;
    await eventually(`${page} loaded`, () => browser().value<boolean>(isLoaded));
  }

  /** Types into the search, and returns the headings that are found. */
  function found(words: string): Promise<readonly string[]> {
    return browser().value(`(() => {
      const field = document.querySelector('#search');
      field.value = ${JSON.stringify(words)};
      field.dispatchEvent(new Event('input'));
      return [...document.querySelectorAll('#found a')].map((link) => link.firstChild.textContent);
    })()`);
  }

  it('finds headings by words, by their beginnings, and with a typing error', async () => {
    await open('docs/how-to/redis.html');
    for (const words of ['conflicts', 'postgres failov', 'postgresql falover']) {
      expect(await found(words), words).not.to.deep.equal([]);
    }
    expect(await found('PostgreSQL with failover')).to.include('PostgreSQL with failover');
    expect(await found('zzzzzz')).to.deep.equal([]);
  });

  it('leads from a result to its page, at any depth of folders', async () => {
    for (const page of ['index.html', 'docs/concepts.html', 'docs/how-to/redis.html']) {
      await open(page);
      await found('PostgreSQL with failover');
      const href = await browser().value<string>(`document.querySelector('#found a').href`);
      expect(href, page).to.equal(`${address('docs/how-to/postgresql.html')}#postgresql-with-failover`);
    }
    expect(browser().complaints).to.deep.equal([]);
  });

  it('is accessible, as far as axe can find out', async () => {
    for (const page of ['index.html', 'docs/concepts.html', 'docs/relay.html']) {
      await open(page);
      await found('failover');
      await expectAccessible(browser());
    }
  });

  it('fits a narrow screen', async () => {
    await open('docs/concepts.html');
    await browser().resize(390);
    expect(await browser().value('document.documentElement.scrollWidth')).to.be.at.most(390);
  });
});

import { expect } from 'chai';
import { systemClock } from '../../../../src/lib/clock.ts';
import { adminRoutes } from '../../../../src/relay/admin/routes.ts';
import type { RelayServer } from '../../../../src/relay/server.ts';
import { startHealthServer, type HealthServer } from '../../../../src/telemetry/health-server.ts';
import { expectAccessible } from '../../../support/accessibility.ts';
import { describeWithChromium } from '../../../support/browser.ts';
import { eventually } from '../../../support/eventually.ts';
import { freePort } from '../../../support/free-port.ts';
import { config, endpoint, failure, listenOf, Loopback } from '../../loopback.ts';

const evil = `<script>document.title = 'taken'</script><img src=x onerror="document.title='taken'">`;

describeWithChromium('relay, page in Chromium', (browser) => {
  const loopback = new Loopback();
  afterEach(() => loopback.closeAll());

  async function open(relay: RelayServer, port = 0): Promise<HealthServer> {
    const admin = await startHealthServer({ host: '127.0.0.1', port }, adminRoutes(relay, systemClock));
    loopback.onClose(() => admin.close());
    browser().complaints.length = 0;
    await browser().open(`${admin.url}/`);
    return admin;
  }

  it('shows endpoints, remotes and their shares, without an error in the console', async () => {
    const remote = await loopback.echo();
    const { relay } = await loopback.relay(config(endpoint(remote)));
    const client = await loopback.client(listenOf(relay));
    await open(relay);
    expect(await browser().shows('#endpoints tbody', 'web'))
      .to.contain(listenOf(relay))
      .and.to.contain('IPv4');
    expect(await browser().text('#remotes tbody'))
      .to.contain(remote)
      .and.to.contain('100 %')
      .and.to.contain('Healthy');
    expect(await browser().text('#state')).to.equal('Ready');
    expect(await browser().text('#errors tbody')).to.equal('No errors since the relay started.');
    const sending = setInterval(() => client.write('x'.repeat(1000)), 20);
    loopback.onClose(() => {
      clearInterval(sending);
    });
    await browser().shows('#tiles', /From clients\s+[1-9][\d.]* k?B\/s/);
    expect(browser().complaints).to.deep.equal([]);
  });

  it('works if there is nothing to show', async () => {
    const { relay } = await loopback.relay(config());
    await open(relay);
    await browser().shows('#endpoints tbody', 'The configuration has no endpoints.');
    expect(await browser().text('#state')).to.equal('Ready');
    expect(browser().complaints).to.deep.equal([]);
  });

  it('shows names and messages as text, whatever they contain', async () => {
    const remote = `127.0.0.1:${String(await freePort())}`;
    const { relay } = await loopback.relay(config(endpoint(remote, { name: evil })));
    await failure(loopback.dial(listenOf(relay, evil)));
    relay.reportRejected(`wrong: ${evil}`);
    await open(relay);
    await browser().shows('#endpoints tbody', evil);
    expect(await browser().text('#problem-text')).to.equal(`wrong: ${evil}`);
    expect(await browser().text('#errors tbody'))
      .to.contain(evil)
      .and.to.contain('The remote refuses connections');
    expect(await browser().value('document.title')).to.equal('Relay: Ready');
    expect(await browser().value('document.querySelectorAll("main script, main img").length')).to.equal(0);
    expect(browser().complaints).to.deep.equal([]);
  });

  it('shows when the relay is no longer reachable, and when it is back', async () => {
    const { relay } = await loopback.relay(config(endpoint('127.0.0.1:1')));
    const port = await freePort();
    const admin = await open(relay, port);
    await browser().shows('#state', 'Ready');
    expect(await browser().text('#lost')).to.equal('');
    await admin.close();
    await browser().shows('#state', 'Unreachable');
    expect(await browser().text('#lost')).to.contain('No answer from the relay since');
    const again = await startHealthServer({ host: '127.0.0.1', port }, adminRoutes(relay, systemClock));
    loopback.onClose(() => again.close());
    await browser().shows('#state', 'Ready');
    expect(await browser().text('#lost')).to.equal('');
  });

  it('is dark if the user prefers that, and fits on a small phone', async () => {
    const long = `[2001:db8:1111:2222:3333:4444:5555:6666]:65535`;
    const { relay } = await loopback.relay(config(endpoint(long, { name: 'n'.repeat(80) })));
    await open(relay);
    await browser().shows('#remotes tbody', long);
    const light = await browser().value('getComputedStyle(document.body).backgroundColor');
    const features = [{ name: 'prefers-color-scheme', value: 'dark' }];
    await browser().send('Emulation.setEmulatedMedia', { features });
    expect(await browser().value('getComputedStyle(document.body).backgroundColor')).to.not.equal(light);
    for (const width of [320, 390, 768, 1024, 1440]) {
      await browser().resize(width);
      const overhang = 'document.documentElement.scrollWidth - document.documentElement.clientWidth';
      expect(await browser().value(overhang), `at ${String(width)} px`).to.equal(0);
    }
  });

  it('is accessible, as far as axe can find out', async () => {
    const remote = `127.0.0.1:${String(await freePort())}`;
    const checked = endpoint(remote, { health_check: { unhealthy_threshold: 1 } });
    const { relay } = await loopback.relay(config(checked, endpoint('127.0.0.1:1', { name: 'idle' })), {
      logLinesDropped: () => 5,
    });
    await failure(loopback.dial(listenOf(relay)));
    relay.reportRejected('endpoints[0].listen: is wrong');
    const admin = await open(relay);
    await browser().shows('#remotes tbody', 'Unhealthy');
    await browser().shows('#errors tbody', 'refuses connections');
    await expectAccessible(browser());
    await admin.close();
    await browser().shows('#state', 'Unreachable');
    await expectAccessible(browser());
  });

  it('shows what the relay is, its totals, its limits and what is wrong with it', async () => {
    const remote = `127.0.0.1:${String(await freePort())}`;
    const network = { max_connections: 7 };
    const checked = endpoint(remote, { health_check: { unhealthy_threshold: 1 } }, network);
    const other = endpoint('127.0.0.1:1', { name: 'idle' }, { no_tcp: true, use_udp: true });
    const { relay } = await loopback.relay(config(checked, other), {
      identity: { relay: 'edge/web', pod: 'web-5d8f7c9b6d-x2k4z', madeOf: 'RealmRelay' },
      openFiles: 1234,
      logLinesDropped: () => 5,
    });
    await failure(loopback.dial(listenOf(relay)));
    await open(relay);
    await browser().shows('#remotes tbody', /Unhealthy\s+checks fail, tried last: connect ECONNREFUSED/);
    expect(await browser().text('#remotes tbody')).to.match(/Unknown\s+neither dialled nor checked yet/);
    expect(await browser().text('#name')).to.equal('edge/web');
    const facts = (await browser().text('#facts')).replaceAll(/\s+/g, ' ');
    expect(facts)
      .to.contain('Pod web-5d8f7c9b6d-x2k4z Version')
      .and.to.match(/Engine (kernel|node) Up \d/)
      .and.to.contain('Open files limit 1,234');
    expect(await browser().text('#endpoints tbody')).to.match(/limit 7/);
    expect(await browser().text('#tiles')).to.match(/New connections\s+\S+\s+1 in all/);
    expect(await browser().text('#warnings')).to.contain('5 lines of the log were dropped');
    expect(await browser().text('#errors tbody')).to.contain('or answers healthCheck.udp');
    expect(browser().complaints).to.deep.equal([]);
  });

  describe('with much to show', () => {
    const widths = [1280, 390];

    async function openLarge(): Promise<void> {
      const remotes = await Promise.all(Array.from({ length: 4 }, () => loopback.echo()));
      const [first = '', ...others] = remotes;
      const balance = 'roundrobin: 1, 1, 1, 1';
      const endpoints = Array.from({ length: 64 }, (_, index) =>
        endpoint(first, { name: `backend-main-${String(index)}`, extra_remotes: others, balance }),
      );
      const { relay } = await loopback.relay(config(...endpoints));
      await open(relay);
      await browser().shows('#remotes-count', '256');
    }

    const script = (expression: string): Promise<unknown> => browser().value(expression);
    const rows = (id: string): Promise<unknown> =>
      script(`document.querySelectorAll('#${id} tbody tr:not(.empty)').length`);
    const type = (words: string): Promise<unknown> =>
      script(`{
        const input = document.getElementById('filter');
        input.value = ${JSON.stringify(words)};
        input.dispatchEvent(new Event('input'));
      }`);
    const column = (id: string, index: number): Promise<unknown> =>
      script(`[...document.querySelectorAll('#${id} tbody tr')].slice(0, 3).map((row) =>
        row.children[${String(index)}].firstElementChild.textContent)`);

    /** Words of names that are on two lines: they have two rectangles. */
    const brokenWords = (): Promise<unknown> =>
      script(`[...document.querySelectorAll('tbody th span, td > span, #facts dd, h1')].flatMap(
        (node) => [...node.childNodes].flatMap((part) => [...part.textContent.matchAll(/[^-\\s]+/g)].filter((word) => {
          const range = document.createRange();
          range.setStart(part, word.index);
          range.setEnd(part, word.index + word[0].length);
          return new Set([...range.getClientRects()].map(({ top }) => top)).size > 1;
        }).map(([word]) => word)))`);

    it('is compact, and no name breaks inside a word', async () => {
      await openLarge();
      for (const width of widths) {
        await browser().resize(width);
        const height = await browser().value<number>('document.documentElement.scrollHeight');
        expect(height, `at ${String(width)} px`).to.be.below(4000);
        expect(await brokenWords(), `at ${String(width)} px`).to.deep.equal([]);
      }
    });

    it('shows every column beside remotes with long names', async () => {
      const port = String(await freePort());
      const host = (index: number): string =>
        `postgres-${String(index)}.postgres.databases.svc.cluster.local:${port}`;
      const checked = {
        health_check: { unhealthy_threshold: 1 },
        extra_remotes: [host(1)],
        balance: 'roundrobin: 1, 1',
      };
      const endpoints = config(endpoint(host(0), { name: 'postgres-primary', ...checked }));
      const { relay } = await loopback.relay(endpoints, { lookup: () => Promise.resolve(['127.0.0.1']) });
      await failure(loopback.dial(listenOf(relay, 'postgres-primary')));
      await open(relay);
      await browser().shows('#remotes tbody', 'Unhealthy');
      for (const width of widths) {
        await browser().resize(width);
        const hidden = await script(
          `[...document.querySelectorAll('.scroll')].map((region) => region.scrollWidth - region.clientWidth)`,
        );
        expect(hidden, `at ${String(width)} px`).to.deep.equal([0, 0, 0]);
        expect(await brokenWords(), `at ${String(width)} px`).to.deep.equal([]);
      }
    });

    it('filters by words, and by problems', async () => {
      await openLarge();
      await type('main-7');
      expect(await rows('endpoints')).to.equal(1);
      expect(await rows('remotes')).to.equal(4);
      expect(await browser().text('#remotes-count')).to.equal('4 of 256');
      await type('nothing like this');
      expect(await browser().text('#endpoints tbody')).to.equal('Nothing matches.');
      await type('');
      expect(await rows('endpoints')).to.equal(64);
      await script(`document.getElementById('only-problems').click()`);
      expect(await rows('endpoints')).to.equal(0);
    });

    it('sorts by a click on a column, the other way by a second, and not by a third', async () => {
      await openLarge();
      const click = (): Promise<unknown> =>
        script(`document.querySelector('#endpoints thead button').click()`);
      const sorted = (): Promise<unknown> =>
        script(`document.querySelector('#endpoints thead th').getAttribute('aria-sort')`);
      const name = (index: number): string => `backend-main-${String(index)}`;
      await click();
      expect([await sorted(), await column('endpoints', 0)]).to.deep.equal([
        'ascending',
        [0, 1, 2].map(name),
      ]);
      await click();
      expect([await sorted(), await column('endpoints', 0)]).to.deep.equal([
        'descending',
        [63, 62, 61].map(name),
      ]);
      await click();
      expect(await sorted()).to.equal(null);
    });

    it('keeps the header of a table in sight, and lets its curves fill their cards', async () => {
      await openLarge();
      for (const width of widths) {
        await browser().resize(width);
        const apart = await script(`{
          const region = document.querySelector('#remotes').parentElement;
          region.scrollTop = 1000;
          const head = document.querySelector('#remotes thead ${width < 768 ? '' : 'th'}');
          [region.scrollTop, Math.round(head.getBoundingClientRect().top - region.getBoundingClientRect().top)];
        }`);
        expect(apart, `at ${String(width)} px`).to.deep.equal([1000, 1]); // the border
        await eventually('two values', () =>
          script(`document.querySelector('polyline').getAttribute('points').split(' ').length > 1`),
        );
        const gaps = await script(`[...document.querySelectorAll('#tiles > div')].flatMap((tile) => {
          const [card, curve] = [tile, tile.querySelector('polyline')].map((each) => each.getBoundingClientRect());
          return [curve.left - card.left, card.right - curve.right].map(Math.round);
        })`);
        expect(Math.max(...(gaps as number[])), `at ${String(width)} px`).to.be.at.most(2);
      }
    });
  });
});

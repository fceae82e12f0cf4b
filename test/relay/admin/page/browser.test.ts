import { expect } from 'chai';
import { systemClock } from '../../../../src/lib/clock.ts';
import { adminRoutes } from '../../../../src/relay/admin/routes.ts';
import type { RelayServer } from '../../../../src/relay/server.ts';
import { startHealthServer, type HealthServer } from '../../../../src/telemetry/health-server.ts';
import { eventually } from '../../../support/eventually.ts';
import { freePort } from '../../../support/free-port.ts';
import { Browser, chromium } from './browser.ts';
import { config, endpoint, failure, listenOf, Loopback } from '../../loopback.ts';

const evil = `<script>document.title = 'taken'</script><img src=x onerror="document.title='taken'">`;

describe('relay, page in Chromium', function () {
  const loopback = new Loopback();
  let browser: Browser;
  let started: Browser | undefined;

  before(async function () {
    const command = chromium();
    if (command === undefined) this.skip();
    browser = started = await Browser.start(command);
  });
  after(() => started?.close());
  afterEach(() => loopback.closeAll());

  async function open(relay: RelayServer): Promise<HealthServer> {
    const admin = await startHealthServer({ host: '127.0.0.1', port: 0 }, adminRoutes(relay, systemClock));
    loopback.onClose(() => admin.close());
    browser.complaints.length = 0;
    await browser.open(`${admin.url}/`);
    return admin;
  }

  /** What a person sees of a part of the page. */
  const text = (selector: string): Promise<string> =>
    browser.value<string>(
      `(part => part?.checkVisibility() ? part.innerText : '')(document.querySelector(${JSON.stringify(selector)}))`,
    );

  /** Waits for words in a part of the page. */
  const shows = (selector: string, words: string | RegExp): Promise<string> =>
    eventually(`${String(words)} in ${selector}`, async () => {
      const shown = await text(selector);
      const isThere = typeof words === 'string' ? shown.includes(words) : words.test(shown);
      return isThere ? shown : undefined;
    });

  it('shows endpoints, remotes and their shares, without an error in the console', async () => {
    const remote = await loopback.echo();
    const { relay } = await loopback.relay(config(endpoint(remote)));
    const client = await loopback.client(listenOf(relay));
    await open(relay);
    expect(await shows('#endpoints tbody', 'web'))
      .to.contain(listenOf(relay))
      .and.to.contain('IPv4');
    expect(await text('#remotes tbody'))
      .to.contain(remote)
      .and.to.contain('100 %')
      .and.to.contain('Healthy');
    expect(await text('#state')).to.equal('Ready');
    expect(await text('#errors tbody')).to.equal('No errors since the relay started.');
    const sending = setInterval(() => client.write('x'.repeat(1000)), 20);
    loopback.onClose(() => {
      clearInterval(sending);
    });
    await shows('#tiles', /From clients\s+[1-9][\d.]* k?B\/s/);
    expect(browser.complaints).to.deep.equal([]);
  });

  it('works if there is nothing to show', async () => {
    const { relay } = await loopback.relay(config());
    await open(relay);
    await shows('#endpoints tbody', 'The configuration has no endpoints.');
    expect(await text('#state')).to.equal('Ready');
    expect(browser.complaints).to.deep.equal([]);
  });

  it('shows names and messages as text, whatever they contain', async () => {
    const remote = `127.0.0.1:${String(await freePort())}`;
    const { relay } = await loopback.relay(config(endpoint(remote, { name: evil })));
    await failure(loopback.dial(listenOf(relay, evil)));
    relay.reportRejected(`wrong: ${evil}`);
    await open(relay);
    await shows('#endpoints tbody', evil);
    expect(await text('#problem-text')).to.equal(`wrong: ${evil}`);
    expect(await text('#errors tbody'))
      .to.contain(evil)
      .and.to.contain('The remote refuses connections');
    expect(await browser.value('document.title')).to.equal('Relay: Ready');
    expect(await browser.value('document.querySelectorAll("main script, main img").length')).to.equal(0);
    expect(browser.complaints).to.deep.equal([]);
  });

  it('shows when the relay is no longer reachable, and when it is back', async () => {
    const { relay } = await loopback.relay(config(endpoint('127.0.0.1:1')));
    const admin = await open(relay);
    await shows('#state', 'Ready');
    expect(await text('#lost')).to.equal('');
    await admin.close();
    await shows('#state', 'Unreachable');
    expect(await text('#lost')).to.contain('No answer from the relay since');
    const again = await startHealthServer(
      { host: '127.0.0.1', port: Number(new URL(admin.url).port) },
      adminRoutes(relay, systemClock),
    );
    loopback.onClose(() => again.close());
    await shows('#state', 'Ready');
    expect(await text('#lost')).to.equal('');
  });

  it('is dark if the user prefers that, and fits on a small phone', async () => {
    const long = `[2001:db8:1111:2222:3333:4444:5555:6666]:65535`;
    const { relay } = await loopback.relay(config(endpoint(long, { name: 'n'.repeat(80) })));
    await open(relay);
    await shows('#remotes tbody', long);
    const light = await browser.value('getComputedStyle(document.body).backgroundColor');
    const features = [{ name: 'prefers-color-scheme', value: 'dark' }];
    await browser.send('Emulation.setEmulatedMedia', { features });
    expect(await browser.value('getComputedStyle(document.body).backgroundColor')).to.not.equal(light);
    for (const width of [320, 390, 768, 1024, 1440]) {
      const size = { width, height: 800, deviceScaleFactor: 1, mobile: width < 768 };
      await browser.send('Emulation.setDeviceMetricsOverride', size);
      const overhang = 'document.documentElement.scrollWidth - document.documentElement.clientWidth';
      expect(await browser.value(overhang), `at ${String(width)} px`).to.equal(0);
    }
  });
});

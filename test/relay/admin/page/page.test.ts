import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { systemClock } from '../../../../src/lib/clock.ts';
import { adminRoutes } from '../../../../src/relay/admin/routes.ts';
import { html, policy } from '../../../../src/relay/admin/page/html.ts';
import { startHealthServer } from '../../../../src/telemetry/health-server.ts';
import { config, Loopback } from '../../loopback.ts';

const loopback = new Loopback();
afterEach(() => loopback.closeAll());

async function request(method: string): Promise<Response> {
  const { relay } = await loopback.relay(config());
  const admin = await startHealthServer({ host: '127.0.0.1', port: 0 }, adminRoutes(relay, systemClock));
  loopback.onClose(() => admin.close());
  return fetch(`${admin.url}/`, { method });
}

/** What stands between the tags of `name`. */
function inline(name: string): string[] {
  return [...html.matchAll(new RegExp(`<${name}[^>]*>(.*?)</${name}>`, 'gs'))].map(([, text = '']) => text);
}

describe('relay, page', () => {
  it('is served as HTML that is not cached, with its policy', async () => {
    const response = await request('GET');
    expect(response.status).to.equal(200);
    expect(Object.fromEntries(response.headers)).to.include({
      'content-type': 'text/html; charset=utf-8',
      'cache-control': 'no-store',
      'content-security-policy': policy,
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
    });
    expect(await response.text()).to.equal(html);
  });

  it('responds to HEAD without a body, and rejects POST', async () => {
    const head = await request('HEAD');
    expect([head.status, await head.text()]).to.deep.equal([200, '']);
    expect((await request('POST')).status).to.equal(405);
  });

  it('allows only its own script and style', () => {
    const hash = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
    expect(policy)
      .to.match(/^default-src 'none'; /)
      .and.to.not.contain('unsafe');
    for (const name of ['script', 'style']) {
      const texts = inline(name);
      expect(texts).to.have.lengthOf(1);
      expect(policy).to.contain(`${name}-src ${hash(texts[0] ?? '')};`);
    }
  });

  it('is one small document, without inline handlers or markup made from text', () => {
    expect(Buffer.byteLength(html)).to.be.below(24_000);
    const [script = ''] = inline('script');
    const markup = html.replace(script, '');
    expect(markup).to.not.match(/\s(on\w+|style)=/);
    expect(html).to.not.match(/https?:(?!\/\/www\.w3\.org\/2000\/svg)/);
    expect(script).to.not.match(/innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(/);
  });

  it('has enough contrast, light and dark', () => {
    const css = readFileSync(join(import.meta.dirname, '../../../../src/telemetry/page/page.css'), 'utf8');
    const [light, dark] = css.split('@media (prefers-color-scheme: dark)').map(colours);
    if (light === undefined || dark === undefined) throw new Error('no two sets of colours');
    const pairs = [
      ['ink', 'ground'],
      ['ink', 'card'],
      ['quiet', 'ground'],
      ['quiet', 'card'],
      ['quiet', 'line'],
      ['accent', 'ground'],
      ['good', 'good-ground'],
      ['bad', 'bad-ground'],
      ['busy', 'busy-ground'],
    ] as const;
    for (const [front, back] of pairs) {
      for (const set of [light, dark])
        expect(contrast(set.get(front), set.get(back)), `${front} on ${back}`).to.be.at.least(4.5);
    }
  });
});

/** The first colours named in `css`. */
function colours(css: string): ReadonlyMap<string, string> {
  const named = [...css.matchAll(/--([\w-]+):\s*(#[0-9a-f]{6})/g)].map(
    ([, name = '', colour = '']) => [name, colour] as const,
  );
  return new Map(named);
}

/** As WCAG 2.2 defines it, 1 to 21. */
function contrast(front = '', back = ''): number {
  const [brighter = 0, darker = 0] = [luminance(front), luminance(back)].toSorted((a, b) => b - a);
  return (brighter + 0.05) / (darker + 0.05);
}

function luminance(colour: string): number {
  const [red = NaN, green = NaN, blue = NaN] = [1, 3, 5].map((at) => {
    const part = parseInt(colour.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

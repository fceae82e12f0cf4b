import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import type { Browser } from './browser.ts';

type Violation = {
  readonly id: string;
  readonly help: string;
  readonly nodes: readonly { readonly target: readonly string[]; readonly failureSummary: string }[];
};

/** Expects axe to find nothing in the page that is open: light and dark, on a desktop and on a phone. */
export async function expectAccessible(browser: Browser): Promise<void> {
  const axe = readFileSync(fileURLToPath(import.meta.resolve('axe-core/axe.min.js')), 'utf8');
  await browser.value(`{${axe}}`);
  for (const scheme of ['light', 'dark'])
    for (const width of [1280, 390]) {
      const features = [{ name: 'prefers-color-scheme', value: scheme }];
      await browser.send('Emulation.setEmulatedMedia', { features });
      await browser.resize(width);
      await browser.value('new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))');
      const violations = await browser.value<Violation[]>('axe.run().then(({ violations }) => violations)');
      const found = violations.flatMap(({ id, help, nodes }) =>
        nodes.map(({ target, failureSummary }) => `${id}: ${help}: ${target.join(' ')}: ${failureSummary}`),
      );
      expect(found, `${scheme}, ${String(width)} px`).to.deep.equal([]);
    }
  await browser.send('Emulation.setEmulatedMedia', { features: [] });
}

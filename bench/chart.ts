import { ownName, type RelayProgram } from './relays.ts';
import { median, short, type Row } from './table.ts';

const [barWidth, valueWidth, barHeight, rowGap] = [460, 220, 14, 10];
const titleHeight = 34;

/**
 * The medians as a chart in SVG: of each row a bar for each program, as long as its share of the row's largest figure.
 * Legible on light and on dark paper.
 */
export function chart(rows: readonly Row[], programs: readonly RelayProgram[], title: string): string {
  const parts: string[] = [];
  let y = titleHeight;
  for (const row of rows) {
    const bars = programs.flatMap(({ name }) => {
      const figures = row.figures.get(name);
      return figures === undefined ? [] : [{ name, figure: median(figures) }];
    });
    const longest = Math.max(...bars.map(({ figure }) => figure));
    parts.push(
      text(0, y + barHeight - 3, `${row.what}, ${row.unit}${row.isMoreBetter ? ' (more is better)' : ''}`),
    );
    y += barHeight + 3;
    for (const { name, figure } of bars) {
      const width = longest > 0 ? Math.max(1, Math.round((figure / longest) * barWidth)) : 1;
      const kind = name.startsWith(ownName) ? (name === ownName ? 'own' : 'node') : 'other';
      parts.push(
        `<rect class="${kind}" x="0" y="${String(y)}" width="${String(width)}" height="${String(barHeight - 3)}"/>`,
      );
      parts.push(text(width + 6, y + barHeight - 4, `${short(figure)} ${name}`, 'value'));
      y += barHeight;
    }
    y += rowGap;
  }
  const width = barWidth + valueWidth;
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${String(width)} ${String(y)}" font-family="system-ui, sans-serif" font-size="12" role="img" aria-label="${escaped(title)}">`,
    `<style>${style}</style>`,
    text(0, 16, title, 'title'),
    ...parts,
    '</svg>',
  ].join('\n')}\n`;
}

const style = [
  'text{fill:#24292f}.value{font-size:11px}.title{font-size:14px;font-weight:600}',
  '.own{fill:#0969da}.node{fill:#54aeff}.other{fill:#8c959f}',
  '@media(prefers-color-scheme:dark){text{fill:#e6edf3}.own{fill:#4493f8}.node{fill:#79c0ff}.other{fill:#6e7681}}',
].join('');

function text(x: number, y: number, content: string, kind = 'label'): string {
  return `<text class="${kind}" x="${String(x)}" y="${String(y)}">${escaped(content)}</text>`;
}

function escaped(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}

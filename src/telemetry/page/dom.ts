/**
 * What the pages of relay and operator have in common: writing into the page, tables, and following a status.
 *
 * Guarantee: names and messages are data: they enter a page only as text, never as markup.
 */

/** The page's element with this id. */
export function element(id: string): HTMLElement {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`no element ${id}`);
  return found;
}

/** Writes only what changes, so that a selection stays and a screen reader keeps quiet. */
export function write(node: Element, text: string): void {
  if (node.textContent !== text) node.textContent = text;
}

/** Characters of a word that stays on one line even on a phone: a short name, an address with its port. */
export const shortWord = 24;

/** Writes a name or a sentence. Long names and addresses in it may break after their separators, and not inside a word. */
export function writeName(node: Element, text: string): void {
  if (node.textContent === text) return;
  const words = text.split(/(?<=\s)/);
  const [first = '', ...others] = words.flatMap((word) =>
    word.length <= shortWord ? [word] : word.split(/(?<=[:/@-])(?!:)|(?<=\.)(?=\D)/),
  );
  node.replaceChildren(first, ...others.flatMap((part) => [make('wbr'), part]));
}

/** A new element with a class and a text. */
export function make(name: string, className = '', text = ''): HTMLElement {
  const node = document.createElement(name);
  if (className !== '') node.className = className;
  if (text !== '') node.textContent = text;
  return node;
}

/** The child of `parent` at `index`, created if there is none. */
export function child(parent: Element, index: number, name: string): Element {
  const known = parent.children[index];
  if (known !== undefined) return known;
  if (name === 'small') parent.append(' '); // for a screen reader, and where it is copied
  return parent.appendChild(make(name));
}

/** Makes `parent` have a child for each of `items`, which `show` writes. */
function list<T>(
  parent: Element,
  name: string,
  items: readonly T[],
  show: (node: Element, item: T) => void,
): void {
  items.forEach((item, index) => {
    show(child(parent, index, name), item);
  });
  while (parent.children.length > items.length) parent.lastElementChild?.remove();
}

/** Shows sentences in the banner `id`, which is hidden without any. */
export function showWarnings(id: string, warnings: readonly string[]): void {
  const banner = element(id);
  banner.hidden = warnings.length === 0;
  list(banner, 'p', warnings, write);
}

/** Shows what the page is about: words and their values; those without a value are left out. */
export function showFacts(id: string, facts: Readonly<Record<string, string>>): void {
  const known = Object.entries(facts).filter(([, value]) => value !== '');
  list(element(id), 'div', known, (node, [word, value]) => {
    write(child(node, 0, 'dt'), word);
    writeName(child(node, 1, 'dd'), value);
  });
}

/** A state as a word and a colour. */
export type Pill = readonly [word: string, kind: 'good' | 'bad' | 'busy' | ''];

/** Shows a state, and its reason beside it. */
export function showPill(cell: Element, [word, kind]: Pill, more = ''): void {
  const pill = child(cell, 0, 'span');
  pill.className = `pill ${kind}`;
  write(pill, word);
  writeName(child(cell, 1, 'small'), more);
}

/** Shows the state of the whole, in the header and in the title. */
export function showState(title: string, [word, kind]: Pill): void {
  const state = element('state');
  write(state, word);
  state.className = `pill ${kind}`;
  document.title = `${title}: ${word}`;
}

/** A figure with its curve. */
export type Tile = {
  readonly name: string;
  readonly text: string;
  readonly more: string;
  /** The latest last. */
  readonly values: readonly number[];
};

/** Shows figures side by side. */
export function showTiles(id: string, tiles: readonly Tile[]): void {
  list(element(id), 'div', tiles, (tile, { name, text, more, values }) => {
    write(child(tile, 0, 'dt'), name);
    write(child(tile, 1, 'dd'), text);
    write(child(tile, 2, 'dd'), more);
    curve(child(tile, 3, 'dd'), values);
  });
}

const svgNames = 'http://www.w3.org/2000/svg';

/** Draws the curve of `values` from edge to edge, however few they are. */
function curve(tile: Element, values: readonly number[]): void {
  const svg = tile.querySelector('svg') ?? newCurve(tile);
  const [first = 0] = values;
  const drawn = values.length > 1 ? values : [first, first];
  const max = Math.max(1, ...drawn);
  const points = drawn.map((value, index) => `${String(index)},${String(31 - (30 * value) / max)}`).join(' ');
  svg.setAttribute('viewBox', `0 0 ${String(drawn.length - 1)} 32`);
  svg.children[0]?.setAttribute('points', `0,32 ${points} ${String(drawn.length - 1)},32`);
  svg.children[1]?.setAttribute('points', points);
}

function newCurve(tile: Element): SVGElement {
  const svg = document.createElementNS(svgNames, 'svg');
  svg.setAttribute('preserveAspectRatio', 'none');
  svg.setAttribute('aria-hidden', 'true');
  for (const name of ['polygon', 'polyline']) svg.append(document.createElementNS(svgNames, name));
  tile.append(svg);
  return svg;
}

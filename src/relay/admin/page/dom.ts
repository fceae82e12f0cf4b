// Writes into the page: only text, never markup.

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

function make(name: string, className = '', text = ''): HTMLElement {
  const node = document.createElement(name);
  if (className !== '') node.className = className;
  node.textContent = text;
  return node;
}

/** The child of `parent` at `index`, created if there is none. */
export function child(parent: Element, index: number, name: string): Element {
  return parent.children[index] ?? parent.appendChild(make(name));
}

/** A column of a table; `show` writes its cell for an item. */
export type Column<T> = {
  readonly title: string;
  readonly isNumber?: boolean;
  readonly show: (cell: Element, item: T) => void;
};

/** Shows `items` in the table `id`, a row each, and reuses its rows and cells. */
export function fill<T>(id: string, columns: readonly Column<T>[], items: readonly T[], none: string): void {
  const table = element(id);
  const [head, body] = [child(table, 0, 'thead'), child(table, 1, 'tbody')];
  if (head.children.length === 0) head.append(headRow(columns));
  if (body.firstElementChild?.className === 'empty') body.replaceChildren();
  items.forEach((item, index) => {
    const row = child(body, index, 'tr');
    columns.forEach((column, place) => {
      column.show(row.children[place] ?? row.appendChild(newCell(column, place)), item);
    });
  });
  while (body.children.length > items.length) body.lastElementChild?.remove();
  if (items.length === 0) body.append(emptyRow(columns.length, none));
  setRoles(table);
}

function headRow<T>(columns: readonly Column<T>[]): HTMLElement {
  const row = make('tr');
  for (const { title, isNumber } of columns) {
    const cell = make('th', isNumber ? 'number' : '', title);
    cell.setAttribute('scope', 'col');
    row.append(cell);
  }
  return row;
}

function newCell<T>({ title, isNumber }: Column<T>, place: number): HTMLElement {
  const cell = make(place === 0 ? 'th' : 'td', isNumber ? 'number' : '');
  if (place === 0) cell.setAttribute('scope', 'row');
  else cell.dataset['label'] = title;
  return cell;
}

function emptyRow(columns: number, text: string): HTMLElement {
  const [row, cell] = [make('tr', 'empty'), make('td', '', text)];
  cell.setAttribute('colspan', String(columns));
  row.append(cell);
  return row;
}

/** On a phone the table is laid out as blocks; without roles a screen reader would no longer find a table. */
function setRoles(table: Element): void {
  const roles = { thead: 'rowgroup', tbody: 'rowgroup', tr: 'row', td: 'cell', 'thead th': 'columnheader' };
  table.setAttribute('role', 'table');
  for (const [selector, role] of Object.entries({ ...roles, 'tbody th': 'rowheader' })) {
    for (const node of table.querySelectorAll(`${selector}:not([role])`)) node.setAttribute('role', role);
  }
}

/** Shows one text of an item. */
export function plain<T>(text: (item: T) => string): Column<T>['show'] {
  return (cell, item) => {
    write(cell, text(item));
  };
}

/** Shows a text of an item, and a smaller one below it. */
export function twoLines<T>(texts: (item: T) => readonly [string, string]): Column<T>['show'] {
  return (cell, item) => {
    const [text, more] = texts(item);
    write(child(cell, 0, 'span'), text);
    write(child(cell, 1, 'small'), more);
  };
}

/** A state as a word and a colour. */
export type Pill = readonly [word: string, kind: 'good' | 'bad' | 'busy' | ''];

/** Shows a state, and its reason below it. */
export function showPill(cell: Element, [word, kind]: Pill, more: string): void {
  const pill = child(cell, 0, 'span');
  pill.className = `pill ${kind}`;
  write(pill, word);
  write(child(cell, 1, 'small'), more);
}

/** Shows a share, 0 to 1, as a bar and in per cent. */
export function showShare(cell: Element, share: number | undefined): void {
  const outer = child(cell, 0, 'div');
  outer.className = 'share';
  const bar = child(outer, 0, 'div');
  bar.className = 'bar';
  bar.setAttribute('aria-hidden', 'true');
  (child(bar, 0, 'i') as HTMLElement).style.width = `${String((share ?? 0) * 100)}%`;
  write(child(outer, 1, 'span'), share === undefined ? '–' : `${String(Math.round(share * 100))} %`);
}

/** Draws the curve of `values`, the latest at the right end. */
export function curve(tile: Element, values: readonly number[], places: number): void {
  const svgNames = 'http://www.w3.org/2000/svg';
  let svg = tile.querySelector('svg');
  if (svg === null) {
    svg = document.createElementNS(svgNames, 'svg');
    svg.setAttribute('viewBox', `0 -1 ${String(places - 1)} 32`);
    svg.setAttribute('preserveAspectRatio', 'none');
    svg.setAttribute('aria-hidden', 'true');
    svg.append(document.createElementNS(svgNames, 'polyline'));
    tile.append(svg);
  }
  const max = Math.max(1, ...values);
  const points = values.map((value, index) => {
    const x = places - values.length + index;
    return `${String(x)},${String(30 - (30 * value) / max)}`;
  });
  svg.firstElementChild?.setAttribute('points', points.join(' '));
}

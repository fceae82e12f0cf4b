import { child, element, make, shortWord, write, writeName } from './dom.ts';

/** A column of a table. */
export type Column<T> = {
  readonly title: string;
  readonly isNumber?: boolean;
  /** Writes its cell for an item. */
  readonly show: (cell: Element, item: T) => void;
  /** What rows are sorted by; without it the column cannot sort. */
  readonly key?: (item: T) => string | number;
};

/** What a table shows. */
export type TableOptions<T> = {
  readonly columns: readonly Column<T>[];
  /** Shown if there are no items. */
  readonly none: string;
  /** What the filter searches. */
  readonly text: (item: T) => string;
  /** Whether it is shown if only problems are. */
  readonly isProblem: (item: T) => boolean;
};

/** What the user wants to see. */
export type Filter = { readonly words: string; readonly onlyProblems: boolean };

type Order = { readonly column: number; readonly isDescending: boolean };

/** A table that filters and sorts its rows, and reuses rows and cells. */
export class Table<T> {
  readonly #id: string;
  readonly #options: TableOptions<T>;
  #items: readonly T[] = [];
  #filter: Filter = { words: '', onlyProblems: false };
  /** Undefined = the order of the items. */
  #order: Order | undefined;

  /** @param id  of the table; `id`-count is where its number of rows is written. */
  constructor(id: string, options: TableOptions<T>) {
    this.#id = id;
    this.#options = options;
  }

  /** Shows `items`, as far as the filter lets them. */
  show(items: readonly T[]): void {
    this.#items = items;
    this.#render();
  }

  filter(filter: Filter): void {
    this.#filter = filter;
    this.#render();
  }

  #render(): void {
    const { columns, none } = this.#options;
    const table = element(this.#id);
    const [head, body] = [child(table, 0, 'thead'), child(table, 1, 'tbody')];
    if (head.children.length === 0) head.append(this.#headRow());
    const shown = this.#sorted(this.#items.filter((item) => this.#isShown(item)));
    if (body.firstElementChild?.className === 'empty') body.replaceChildren();
    shown.forEach((item, index) => {
      const row = child(body, index, 'tr');
      columns.forEach((column, place) => {
        column.show(row.children[place] ?? row.appendChild(newCell(column, place)), item);
      });
    });
    while (body.children.length > shown.length) body.lastElementChild?.remove();
    if (shown.length === 0)
      body.append(emptyRow(columns.length, this.#items.length === 0 ? none : 'Nothing matches.'));
    const all = String(this.#items.length);
    write(
      element(`${this.#id}-count`),
      shown.length === this.#items.length ? all : `${String(shown.length)} of ${all}`,
    );
    setRoles(table);
  }

  #isShown(item: T): boolean {
    const { words, onlyProblems } = this.#filter;
    if (onlyProblems && !this.#options.isProblem(item)) return false;
    const text = this.#options.text(item).toLowerCase();
    return words
      .toLowerCase()
      .split(/\s+/)
      .every((word) => text.includes(word));
  }

  #sorted(items: readonly T[]): readonly T[] {
    const key = this.#order && this.#options.columns[this.#order.column]?.key;
    if (key === undefined) return items;
    const sorted = items.toSorted((a, b) => compared(key(a), key(b)));
    return this.#order?.isDescending === true ? sorted.reverse() : sorted;
  }

  #headRow(): HTMLElement {
    const row = make('tr');
    this.#options.columns.forEach(({ title, isNumber, key }, index) => {
      const cell = make('th', isNumber ? 'number' : '');
      cell.setAttribute('scope', 'col');
      if (key === undefined) cell.textContent = title;
      else cell.append(this.#sortButton(title, index));
      row.append(cell);
    });
    return row;
  }

  #sortButton(title: string, column: number): HTMLElement {
    const button = make('button', '', title);
    button.setAttribute('type', 'button');
    button.addEventListener('click', () => {
      this.#sortBy(column);
    });
    return button;
  }

  /** One click sorts, numbers the largest first; a second one reverses that, a third ends it. */
  #sortBy(column: number): void {
    const isFirstDescending = this.#options.columns[column]?.isNumber === true;
    const before = this.#order?.column === column ? this.#order.isDescending : undefined;
    if (before === undefined) this.#order = { column, isDescending: isFirstDescending };
    else this.#order = before === isFirstDescending ? { column, isDescending: !before } : undefined;
    this.#showOrder();
    this.#render();
  }

  #showOrder(): void {
    const { column, isDescending } = this.#order ?? {};
    for (const [index, cell] of [...element(this.#id).querySelectorAll('thead th')].entries()) {
      if (column === index)
        cell.setAttribute('aria-sort', isDescending === true ? 'descending' : 'ascending');
      else cell.removeAttribute('aria-sort');
    }
  }
}

function compared(a: string | number, b: string | number): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  return String(a).localeCompare(String(b), 'en', { numeric: true });
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

/** Shows a sentence about an item. */
export function sentence<T>(text: (item: T) => string): Column<T>['show'] {
  return (cell, item) => {
    cell.classList.add('sentence');
    writeName(cell, text(item));
  };
}

/** Shows a name of an item, and a smaller text beside it. A long one leaves room for the other columns. */
export function named<T>(texts: (item: T) => readonly [string, string]): Column<T>['show'] {
  return (cell, item) => {
    const [name, more] = texts(item);
    cell.classList.toggle('long', name.length > shortWord);
    writeName(child(cell, 0, 'span'), name);
    write(child(cell, 1, 'small'), more);
  };
}

/** Shows a figure of an item, and a smaller one beside it; on a phone nothing, if both are nothing. */
export function figure<T>(texts: (item: T) => readonly [string, string]): Column<T>['show'] {
  return (cell, item) => {
    const [text, more] = texts(item);
    cell.classList.toggle('none', more === '' && /^[0–]/.test(text) && !/[1-9]/.test(text));
    write(child(cell, 0, 'span'), text);
    write(child(cell, 1, 'small'), more);
  };
}

/** Shows a share, 0 to 1, as a bar and in per cent. */
export function showShare(cell: Element, share: number | undefined): void {
  cell.classList.toggle('none', share === undefined);
  const outer = child(cell, 0, 'div');
  outer.className = 'share';
  const bar = child(outer, 0, 'div');
  bar.className = 'bar';
  bar.setAttribute('aria-hidden', 'true');
  (child(bar, 0, 'i') as HTMLElement).style.width = `${String((share ?? 0) * 100)}%`;
  write(child(outer, 1, 'span'), share === undefined ? '–' : `${String(Math.round(share * 100))} %`);
}

import MiniSearch from 'minisearch';

type Section = {
  readonly id: number;
  readonly url: string;
  readonly page: string;
  readonly heading: string;
  readonly text: string;
};

declare global {
  /** What can be found, from search-data.js: a page from a folder may not fetch files. */
  var sections: readonly Section[];
}

const maxResults = 12;
const toRoot = document.documentElement.dataset['root'] ?? '';
const field = element('#search', HTMLInputElement);
const found = element('#found', HTMLDivElement);
let index: MiniSearch<Section> | undefined;
let selected = -1;

function element<T extends Element>(selector: string, type: new () => T): T {
  const node = document.querySelector(selector);
  if (!(node instanceof type)) throw new Error(`the page has no ${selector}`);
  return node;
}

/** The index, which is made when the first letter is typed. */
function searchIndex(): MiniSearch<Section> {
  if (index !== undefined) return index;
  index = new MiniSearch<Section>({
    fields: ['heading', 'page', 'text'],
    storeFields: ['url', 'page', 'heading'],
    searchOptions: { boost: { heading: 3, page: 2 }, prefix: true, fuzzy: 0.15, combineWith: 'AND' },
  });
  index.addAll(globalThis.sections);
  return index;
}

function show(): void {
  const query = field.value.trim();
  const results = query === '' ? [] : searchIndex().search(query).slice(0, maxResults);
  const items = results.map((result) =>
    item(String(result['heading']), String(result['page']), `${toRoot}${String(result['url'])}`),
  );
  found.replaceChildren(...(query !== '' && items.length === 0 ? [noResult()] : items));
  select(items.length > 0 ? 0 : -1);
  toggle(query !== '');
}

function item(heading: string, page: string, url: string): HTMLAnchorElement {
  const link = document.createElement('a');
  link.role = 'option';
  link.href = url;
  link.tabIndex = -1;
  link.textContent = heading;
  const small = document.createElement('small');
  small.textContent = page;
  link.append(small);
  return link;
}

function noResult(): HTMLParagraphElement {
  const line = document.createElement('p');
  line.role = 'option';
  line.ariaDisabled = 'true';
  line.textContent = 'Nothing found.';
  return line;
}

function toggle(isOpen: boolean): void {
  found.hidden = !isOpen;
  field.setAttribute('aria-expanded', String(isOpen));
}

function select(at: number): void {
  selected = at;
  for (const [position, line] of [...found.children].entries()) {
    line.id = `found-${String(position)}`;
    line.setAttribute('aria-selected', String(position === at));
    if (position === at) line.scrollIntoView({ block: 'nearest' });
  }
  field.setAttribute('aria-activedescendant', at < 0 ? '' : `found-${String(at)}`);
}

function move(step: number): void {
  const count = found.querySelectorAll('a').length;
  if (count > 0) select((selected + step + count) % count);
}

const keys: Readonly<Record<string, () => void>> = {
  ArrowDown: () => {
    move(1);
  },
  ArrowUp: () => {
    move(-1);
  },
  Enter: () => {
    found.querySelectorAll('a')[selected]?.click();
    toggle(false);
  },
  Escape: () => {
    toggle(false);
  },
};

field.addEventListener('input', show);
field.addEventListener('keydown', (event) => {
  const act = keys[event.key];
  if (act === undefined) return;
  event.preventDefault();
  act();
});
document.addEventListener('keydown', (event) => {
  if (event.key !== '/' || event.target instanceof HTMLInputElement) return;
  event.preventDefault();
  field.focus();
});
document.addEventListener('click', (event) => {
  if (event.target instanceof Node && !found.contains(event.target) && event.target !== field) toggle(false);
});

for (const code of document.querySelectorAll('pre > code.language-sh')) {
  const button = document.createElement('button');
  button.type = 'button';
  button.className = 'copy';
  button.textContent = 'Copy';
  button.addEventListener('click', () => {
    void navigator.clipboard.writeText(code.textContent).then(() => {
      button.textContent = 'Copied';
    });
  });
  const block = code.parentElement;
  const frame = document.createElement('div');
  frame.className = 'code';
  block?.replaceWith(frame);
  if (block !== null) frame.append(block, button);
}

// The keyboard scrolls only what it can reach.
const scrolling = new ResizeObserver((parts) => {
  for (const { target } of parts) {
    if (target.scrollWidth > target.clientWidth) target.setAttribute('tabindex', '0');
    else target.removeAttribute('tabindex');
  }
});
for (const part of document.querySelectorAll('pre, .scroll')) scrolling.observe(part);

// On a narrow screen the menu is closed at first.
if (matchMedia('(max-width: 52rem)').matches) document.querySelector('nav details')?.removeAttribute('open');

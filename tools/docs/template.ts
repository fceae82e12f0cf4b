/** A line of the menu. */
export type Entry = { readonly title: string; readonly file: string };

/** A chapter of the menu. */
export type Group = { readonly title: string; readonly entries: readonly Entry[] };

/** What a page of the site consists of. */
export type Layout = {
  readonly title: string;
  /** HTML. */
  readonly content: string;
  readonly groups: readonly Group[];
  /** The file of the page in the site. */
  readonly out: string;
  /** The way from there to the root: `''`, `../` and so on. */
  readonly toRoot: string;
};

/** The HTML of a page. It works without a server and, except for the search, without a script. */
export function layout({ title, content, groups, out, toRoot }: Layout): string {
  return `<!doctype html>
<html lang="en" data-root="${toRoot}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escaped(title === 'realm-operator' ? title : `${title} · realm-operator`)}</title>
<link rel="stylesheet" href="${toRoot}site.css">
<script defer src="${toRoot}search-data.js"></script>
<script defer src="${toRoot}site.js"></script>
</head>
<body>
<a class="skip" href="#content">Skip to the content</a>
<header>
<a class="name" href="${toRoot}index.html">realm-operator</a>
<div class="search" role="search">
<input type="search" id="search" placeholder="Search ( / )" aria-label="Search the documentation" autocomplete="off"
 role="combobox" aria-expanded="false" aria-controls="found" aria-autocomplete="list">
<div id="found" role="listbox" aria-label="Search results" hidden></div>
</div>
</header>
<div class="columns">
<nav aria-label="Pages"><details open><summary>Pages</summary>
${groups.map((group) => chapter(group, out, toRoot)).join('\n')}
</details></nav>
<main id="content">
${content}</main>
</div>
</body>
</html>
`;
}

function chapter({ title, entries }: Group, out: string, toRoot: string): string {
  const items = entries.map(({ title: name, file }) => {
    const current = file === out ? ' aria-current="page"' : '';
    return `<li><a href="${toRoot}${file}"${current}>${escaped(name)}</a></li>`;
  });
  return `<h2>${escaped(title)}</h2>\n<ul>${items.join('')}</ul>`;
}

/** `text` as HTML, for elements and attributes. */
export function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}

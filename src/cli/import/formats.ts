import { ownValue } from '../../lib/record.ts';
import type { ForeignReader } from './foreign.ts';
import { readGost } from './gost.ts';
import { readHaproxy } from './haproxy.ts';
import { readNginx } from './nginx.ts';
import { readRinetd } from './rinetd.ts';

/** The programs other than Realm whose configurations are read, with what their files look like. */
const formats: Readonly<Record<string, { readonly read: ForeignReader; readonly looks: RegExp }>> = {
  haproxy: {
    read: readHaproxy,
    looks: /^(?:listen|frontend|backend|defaults|global|peers|resolvers|userlist)\b[^={\n]*$/m,
  },
  nginx: { read: readNginx, looks: /^[ \t]*(?:events|http|mail|stream|upstream[ \t]+\S+|server)\s*\{/m },
  gost: { read: readGost, looks: /^services[ \t]*:|"(?:ServeNodes|Routes|services)"[ \t\n]*:/m },
  rinetd: {
    read: readRinetd,
    // An address and a port are enough: what is wrong behind them is reported with its line.
    looks:
      /^[ \t]*(?:[0-9]{1,3}(?:\.[0-9]{1,3}){3}|[0-9A-Fa-f]*:[0-9A-Fa-f:.]+|\*)[ \t]+(?:[0-9]{1,5}|[a-z][0-9a-z-]*)(?:\/(?:tcp|udp))?(?=\s|$)/m,
  },
};

/** The words of `--from`. */
export const sourceFormats = ['auto', 'realm', ...Object.keys(formats)];

/** The reader for `text`: of the program `format`, or of the one that it looks like; undefined for Realm. */
export function foreignReader(format: string, text: string): ForeignReader | undefined {
  if (format !== 'auto') return ownValue(formats, format)?.read;
  return Object.values(formats).find(({ looks }) => looks.test(text))?.read;
}

import {
  base,
  with_,
  port,
  metadata,
  spec,
  top,
  listen,
  accepts,
  refuses,
  type ManifestCase,
} from './manifest-text.ts';

const udp = (text: string): string => `${base}    network: {udp: ${text}}\n`;
const name = (text: string): string => with_('name: web', `name: ${text}`);
const json = JSON.stringify({
  apiVersion: 'realm-operator.dev/v1alpha1',
  kind: 'RealmRelay',
  metadata: { name: 'web' },
  spec: { endpoints: [{ name: 'h', listen: { port: 443 }, remotes: [{ address: 'b', port: 1 }] }] },
});

/** Words that are something else in YAML than they look like, names, kinds, and what stands around a document. */
export const wordCases: readonly ManifestCase[] = [
  ...['y', 'n', 'YES', 'Off', 'TRUE', 'Null', '!!bool "true"'].map((text) =>
    accepts(`udp written as ${text}`, udp(text)),
  ),
  ...['tRUE', 'oN', '"1"'].map((text) =>
    refuses(`udp written as ${text}`, udp(text), 'write true without quotes'),
  ),
  refuses('udp written as enabled', udp('enabled'), 'give true or false'),
  ...['yes', 'on', 'no', 'y', '1e3', '0x1', '.inf'].map((text) =>
    refuses(`the name ${text}, which is no string`, name(text), 'metadata.name: has the wrong type'),
  ),
  ...['.', '2024-01-01', 'web.example.com', 'web_1', '9web', 'web-', '"w\\0b"', '!web'].map((text) =>
    refuses(`the name ${text}`, name(text), 'metadata.name: is not valid'),
  ),
  ...['null', '&web'].map((text) =>
    refuses(`the name ${text}, which is none`, name(text), 'metadata.name: is missing'),
  ),
  accepts('a name on a line of its own', name('>-\n    web')),
  refuses(
    'a name that ends with a line break',
    name('|\n    web'),
    'metadata.name: is not valid, got "web\\n"',
  ),
  ...[
    'v1alpha1',
    'realm-operator.io/v1alpha1',
    'Realm-Operator.dev/v1alpha1',
    '"realm-operator.dev/v1alpha1 "',
  ].map((text) =>
    refuses(
      `the version ${text}`,
      with_('realm-operator.dev/v1alpha1', text),
      'use realm-operator.dev/v1alpha1',
    ),
  ),
  ...['realmrelay', 'RealmRelays', 'RealmReley', '[RealmRelay]', '~'].map((text) =>
    refuses(`the kind ${text}`, with_('kind: RealmRelay', `kind: ${text}`), 'is not a RealmRelay'),
  ),
  ...[
    ['apiVersion', 'apiversion'],
    ['metadata', 'metaData'],
    ['spec', 'Spec'],
  ].map(([key = '', typed = '']) => refuses(`the key ${typed}`, with_(key, typed), `did you mean "${key}"?`)),
  refuses('a mapping of labels as one text', metadata('labels: app=web'), 'give a mapping of strings'),
  refuses('a label that is a version', metadata('labels: {version: 1.0}'), 'has the wrong type, got 1'),
  refuses('a time without T', metadata('creationTimestamp: 2024-01-01 00:00:00'), 'use a time such as'),
  refuses(
    'anchors kept in a key of their own',
    top('x-common: &c {udp: true}'),
    'x-common: is an unknown key',
  ),
  refuses('a key that is a number', top('1: x'), '1: is an unknown key'),
  refuses('an empty key', top('"": x'), ':14:1: [""]: is an unknown key'),
  refuses(
    'a key that colours a terminal',
    top('"\\e[31mred": x'),
    ':14:1: ["\\u001b[31mred"]: is an unknown key',
  ),
  refuses('the same key with and without quotes', port('443\n      "port": 443'), 'is a duplicate key'),
  refuses(
    'aliases that grow without end',
    top(
      `a: &a [x,x,x,x,x,x,x,x,x]\n${['b', 'c', 'd', 'e', 'f', 'g', 'h']
        .map((key, index) => {
          const alias = `*${'abcdefgh'[index] ?? ''}`;
          return `${key}: &${key} [${Array.from({ length: 9 }, () => alias).join(',')}]\n`;
        })
        .join('')}`,
    ),
    'write the values out',
  ),
  ...[
    ['several merges', 'network: {<<: [{udp: true}, {tcp: true}]}'],
    ['a merge', 'network: {<<: {udp: true}}'],
  ].map(([why = '', line = '']) => accepts(why, `${base}    ${line}\n`)),
  accepts('a tag that says what a mapping is', with_('listen:', 'listen: !!map')),
  accepts('a number with many digits after the point', port('443.00000000000001')),
  accepts('a comma before a brace', listen('{port: 443,}')),
  accepts('line ends of old Macs', base.replaceAll('\n', '\r')),
  accepts('a line end of Windows among others', base.replace('\n', '\r\n')),
  accepts('a byte order mark and line ends of Windows', `\uFEFF${base.replaceAll('\n', '\r\n')}`),
  refuses(
    'a byte order mark inside',
    base.replace('spec', '\uFEFFspec'),
    'remove the invisible character U+FEFF',
  ),
  ...[
    ['a NUL inside', base.replace('web', 'w\0b')],
    ['a NUL at the end', `${base}\0`],
    ['a vertical tab', base.replace('spec', '\vspec')],
    ['a form feed', base.replace('\nspec', '\n\fspec')],
  ].map(([why = '', text = '']) => refuses(why, text, 'it contains a control character')),
  refuses(
    'UTF-32',
    Buffer.concat(
      Array.from(`\uFEFF${base}`, (letter) => {
        const word = Buffer.alloc(4);
        word.writeUInt32LE(letter.charCodeAt(0));
        return word;
      }),
    ),
    'is UTF-32: save it as UTF-8',
  ),
  refuses('a compressed file', Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0]), 'is not UTF-8'),
  accepts('JSON with a byte order mark', `\uFEFF${json}`),
  accepts('JSON with a port in scientific notation', json.replace('443', '4.43e2')),
  refuses('JSON with a port in quotes', json.replace('443', '"443"'), 'write 443 without quotes'),
  refuses('JSON that is cut off', json.slice(0, -1), 'a "{" is not closed'),
  refuses('a list of JSON', `[${json}]`, 'is not a RealmRelay'),
  refuses('JSON with a key in capitals', json.replace('"spec"', '"SPEC"'), 'did you mean "spec"?'),
  refuses('a spec in a list', spec('service: [LoadBalancer]'), 'spec.service: has the wrong type'),
];

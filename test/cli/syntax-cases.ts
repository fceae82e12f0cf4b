import {
  base,
  with_,
  port,
  address,
  listen,
  metadata,
  spec,
  accepts,
  refuses,
  type ManifestCase,
} from './manifest-text.ts';

/** What is YAML to the API server, and what is not. */
export const syntaxCases: readonly ManifestCase[] = [
  accepts('a byte order mark', `\uFEFF${base}`),
  accepts(
    'UTF-16 with a byte order mark',
    Buffer.from(`\uFEFF${base}`, 'utf16le'),
    'warning: document: is UTF-16',
  ),
  accepts('UTF-16, big endian', Buffer.from(`\uFEFF${base}`, 'utf16le').swap16(), 'save it as UTF-8'),
  accepts('line ends of Windows', base.replaceAll('\n', '\r\n')),
  accepts('a tab after a colon', port('\t443')),
  accepts('a tab at the end of a line', port('443\t')),
  accepts(
    'an anchor and its alias',
    with_('name: https', 'name: &n https').replace('address: backend', 'address: *n'),
  ),
  accepts('a merge', listen('\n      <<: {port: 443}\n      address: "::"')),
  accepts('an unknown tag', with_('listen:', 'listen: !mine')),
  accepts('bytes in base64', metadata('annotations: {a: !!binary aGVsbG8=}')),
  accepts('a key after a question mark', with_('      port: 443', '      ? port\n      : 443')),
  accepts(
    'JSON',
    '{"apiVersion":"realm-operator.dev/v1alpha1","kind":"RealmRelay","metadata":{"name":"web"},"spec":{"endpoints":[{"name":"h","listen":{"port":443},"remotes":[{"address":"b","port":1}]}]}}',
  ),
  refuses(
    'UTF-16 without a byte order mark',
    Buffer.from(base, 'utf16le'),
    'is UTF-16 without a byte order mark: save it as UTF-8',
  ),
  refuses(
    'Latin-1',
    Buffer.from(metadata('annotations: {a: \u00e9}'), 'latin1'),
    ':5:20: document: is not UTF-8: save it as UTF-8',
  ),
  refuses('a control character', metadata('annotations: {a: "x\u007f"}'), 'it contains a control character'),
  refuses(
    'a tab that indents',
    with_('    listen:', '\tlisten:'),
    ':8:1: document: is not YAML: a tab indents a line: use spaces',
  ),
  refuses(
    'a tab on an empty line',
    with_('    listen:', '\t\n    listen:'),
    ':8:1: document: is not YAML: a tab indents a line: use spaces',
  ),
  refuses('a tab that indents a value', with_('      address: "::"', '\t\taddress: "::"'), 'use spaces'),
  refuses('a no-break space', with_('port: 443', 'port:\u00a0443'), 'use plain spaces'),
  refuses(
    'a key twice',
    port('443\n      port: 444'),
    ':11:7: spec.endpoints[0].listen.port: is a duplicate key, which line 10 has, too',
  ),
  refuses(
    'a key twice in braces',
    listen('{port: 443, port: 444}'),
    'spec.endpoints[0].listen.port: is a duplicate key',
  ),
  refuses(
    'a key twice in JSON',
    '{"apiVersion":"realm-operator.dev/v1alpha1","kind":"RealmRelay","kind":"RealmRelay"}',
    'kind: is a duplicate key',
  ),
  refuses(
    'a Helm template',
    with_('name: web', 'name: {{ .Values.name }}'),
    ':4:9: document: is not YAML: it is a Helm template: pipe what Helm makes of it: helm template',
  ),
  refuses(
    'a Helm template in quotes',
    with_('name: web', 'name: "{{ .Values.name }}"'),
    'helm template CHART | realm-operator validate -',
  ),
  refuses(
    'the statement of a Helm template',
    `{{- if .Values.relay }}\n${base}{{- end }}\n`,
    'it is a Helm template',
  ),
  refuses(
    'a line that is indented too little',
    with_('      port: 443', '     port: 443'),
    'is indented unlike those that it belongs to',
  ),
  refuses(
    'no space after a colon',
    with_('port: 443', 'port:443'),
    'write a colon and a space after the key',
  ),
  refuses('a colon in a value', with_('name: https', 'name: a: b'), 'quote the value'),
  refuses(
    'a quote that does not end',
    address('"::'),
    ':9:16: document: is not YAML: a quoted value does not end: add the closing "',
  ),
  refuses(
    'a brace that is not closed',
    listen('{port: 443'),
    ':8:13: document: is not YAML: a "{" is not closed: add "}"',
  ),
  refuses('no comma', listen('{port: 443 address: b}'), 'separate the entries by one comma each'),
  refuses(
    'a value that begins with @',
    address('@x'),
    'begins with "@", which has a meaning of its own in YAML: quote the value',
  ),
  refuses('an alias without an anchor', port('*p'), 'define the anchor before it, or quote the value'),
  refuses('a key that is null', metadata('annotations: {null: a}'), 'a key is null'),
  refuses('a key that is a list', metadata('annotations: {[a]: a}'), 'a key is a list or a mapping'),
  refuses('another version of YAML', `%YAML 1.2\n---\n${base}`, 'remove the line that begins with "%YAML"'),
  accepts(
    'brackets over several lines, one of them without indentation',
    listen('{port: 443,\naddress: "::"}'),
  ),
  accepts(
    'a brace that closes below the key, and what follows it',
    `${listen('{\n  port: 443,   # c\n  address: "::"\n}')}    network: {\n      udp: yes\n}\n`,
  ),
  accepts(
    'a list in brackets that closes on the left',
    spec('podTemplate: {spec: {tolerations: [\n{key: a}\n]}}'),
  ),
  refuses(
    'a wrong value after lines in brackets without indentation',
    listen('{address: "::",\n\n  port:\t"443"\n}'),
    ':10:9: spec.endpoints[0].listen.port: has the wrong type, got "443": write 443 without quotes',
  ),
  refuses(
    'a colon in brackets without indentation',
    listen('{\naddress: ::,\nport: 443}'),
    ':9:10: spec.endpoints[0].listen.address: begins with a colon',
  ),
  accepts('a tab after a colon in braces', listen('{port:\t443}')),
  accepts('a tab after a brace and after a comma', listen('{\tport: 443,\taddress: "::"}')),
  accepts('tabs that indent lines in braces', listen('{\n\t\tport: 443,\n\t\taddress: "::"\n\t}')),
  accepts(
    'JSON that is indented with tabs, inside a document',
    listen('{\n\t"port":\t443,\n\t"address":\t"::"\n\t}'),
  ),
  refuses(
    'a tab that indents the line after an unquoted value in braces',
    listen('{\n\t"address": "::",\n\t"port": 443\n\t}'),
    'a tab indents a line: use spaces',
  ),
  refuses(
    'a brace too many',
    listen('{port: 443}}'),
    ':8:24: document: is not YAML: a "}" closes nothing: remove it, or quote the value',
  ),
  refuses(
    'a text after a value in quotes',
    with_('name: https', 'name: "a" b'),
    'something follows a value in quotes',
  ),
  refuses(
    'an escape of JSON for a slash',
    metadata('annotations: {a: "x\\/y"}'),
    ':5:22: document: is not YAML: a text in double quotes contains an escape of JSON',
  ),
  refuses('half a character', metadata('annotations: {a: "\\ud83d"}'), 'write the character itself'),
  refuses(
    'a character in two halves',
    metadata('annotations: {a: "\\ud83d\\ude00"}'),
    'contains an escape of JSON',
  ),
  accepts('other escapes', metadata('annotations: {a: "\\u00e9\\x41\\t\\\\/\\U0001F600\\e"}')),
  refuses('a text', 'hello\n', 'is not a RealmRelay'),
];

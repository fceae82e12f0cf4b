import {
  base,
  with_,
  port,
  address,
  listen,
  remotes,
  spec,
  accepts,
  refuses,
  type ManifestCase,
} from './manifest-text.ts';

const ofEndpoint = (line: string): string => `${base}    ${line}\n`;
const network = (fields: string): string => ofEndpoint(`network: ${fields}`);
const sources = (text: string): string => network(`{allowedSources: ${text}}`);
const remote = (text: string): string => with_('address: backend', `address: ${text}`);

/** Values in another notation than the field's: what we say is what to write instead. */
export const valueCases: readonly ManifestCase[] = [
  ...[
    ['a port in hexadecimal in quotes', '"0x1bb"'],
    ['a port with a fraction of zero in quotes', '"443.0"'],
    ['a port with a space behind it', '"443 "'],
    ['a port with a comma behind it', '443,'],
    ['a port with a semicolon behind it', '443;'],
    ['a port in full-width digits', '\uFF14\uFF14\uFF13'],
    ['a port in a list', '[443]'],
  ].map(([why = '', text = '']) =>
    refuses(why, port(text), 'spec.endpoints[0].listen.port: has the wrong type'),
  ),
  ...['"0x1bb"', '"443 "', '443,', '[443]'].map((text) =>
    refuses(`the remedy of a port written as ${text}`, port(text), ': write 443\n'),
  ),
  refuses('a port with its protocol', port('53/UDP'), 'write 53, and set network.udp to true'),
  refuses('two ports', port('443,444'), 'give each port an endpoint, or a range by port and endPort'),
  refuses('a port far too large', port('99999999999999999999'), 'use at most 65535'),
  refuses('a variable', port('${PORT}'), 'it is a variable: pipe the text with its value, envsubst'),
  refuses('a variable without braces', remote('$BACKEND'), 'it is a variable'),
  refuses('a thousand as a letter', network('{maxConnections: 10k}'), 'write 10000'),
  refuses('minutes in place of seconds', network('{tcpIdleTimeoutSeconds: 5m}'), 'write 300'),
  refuses('seconds with their unit', spec('drainSeconds: 30s'), 'write 30'),
  refuses('true in quotes', network('{ipv6Only: "true"}'), 'write true without quotes'),
  refuses('1 in place of true', network('{ipv6Only: 1}'), 'write true without quotes'),
  refuses('a word in small letters', ofEndpoint('balance: roundrobin'), 'use RoundRobin\n'),
  refuses('a word in capitals', spec('logLevel: DEBUG'), 'use debug\n'),
  refuses(
    'a word that is none of them',
    ofEndpoint('balance: Random'),
    'use RoundRobin, IPHash, Failover or',
  ),
  refuses('one item in place of a list', spec('service: {ipFamilies: IPv4}'), 'write ["IPv4"]\n'),
  refuses('a list without an item', remotes('[]'), 'use at least 1 item\n'),
  refuses('a range in place of a list', sources('10.0.0.0/8'), 'write ["10.0.0.0/8"]\n'),
  refuses('a range with a mask', sources('[10.0.0.0/255.0.0.0]'), 'write "10.0.0.0/8"'),
  refuses('a range with a space', sources('["10.0.0.0 /8"]'), 'write "10.0.0.0/8"'),
  refuses('a range with a zero in front', sources('[10.0.0.0/08]'), 'write "10.0.0.0/8"'),
  refuses('a range in brackets', sources('["[2001:db8::]/32"]'), 'write "2001:db8::/32"'),
  refuses('an IPv4-mapped range', sources('["::ffff:10.0.0.0/104"]'), 'write "10.0.0.0/8"'),
  refuses('a range that is too long', sources('[10.0.0.0/33]'), 'use a length of at most 32'),
  refuses('two ranges in one text', sources('["10.0.0.0/8,::1/128"]'), '["10.0.0.0/8", "::1/128"]'),
  accepts('a range with bits of hosts', sources('[10.0.0.1/8]')),
  accepts('a range in capitals', sources('["2001:DB8::/32"]')),
  refuses('an address with spaces', address('" ::1"'), 'write "::1"'),
  refuses('an address with a dot behind it', address('"127.0.0.1."'), 'write "127.0.0.1"'),
  refuses('an address with a length', address('0.0.0.0/0'), 'write "0.0.0.0"'),
  refuses('an IPv4-mapped address in capitals', address('::FFFF:1.2.3.4'), 'write "::ffff:1.2.3.4"'),
  refuses('an address with a zone', remote('"fe80::1%eth0"'), 'zones are not supported'),
  refuses('a name with a path', remote('example.com/path'), 'write example.com without the path'),
  refuses('a name in Unicode', remote('b\u00FCcher.example'), 'write xn--bcher-kva.example'),
  accepts('a name in capitals with a dot behind it', remote('EXAMPLE.com.')),
  accepts(
    'a remote that is no address',
    remote('"::"'),
    'warning: spec.endpoints[0].remotes[0].address: is the Pod',
  ),
  refuses(
    'a zero-width space in a key',
    with_('port: 443', 'port\u200B: 443'),
    'remove the invisible character U+200B',
  ),
  refuses('a zero-width space in a value', remote('back\u200Bend'), 'remove the invisible character U+200B'),
  refuses('host in place of address', remotes('[{host: b, port: 1}]'), 'did you mean "address"?'),
  refuses('ip in place of address', listen('{ip: "::", port: 443}'), 'did you mean "address"?'),
  refuses('targetPort', listen('{port: 443, targetPort: 8443}'), 'did you mean "port"?'),
  refuses('a Jinja template', remote('{% if x %}'), 'it is a Jinja template'),
  refuses(
    'a conflict of Git',
    with_('      port: 443', '<<<<<<< HEAD\n      port: 443\n=======\n>>>>>>> x'),
    'a conflict of Git',
  ),
  refuses('a code fence', `\`\`\`yaml\n${base}\`\`\`\n`, ':1:1: document: is not YAML: it has a code fence'),
  accepts(
    'a file with a byte order mark after another',
    `${base}---\n\uFEFF${base.replace('web', 'www')}`,
    '',
  ),
];

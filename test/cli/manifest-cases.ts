import {
  base,
  with_,
  port,
  address,
  listen,
  remotes,
  metadata,
  spec,
  top,
  accepts,
  refuses,
  type ManifestCase,
} from './manifest-text.ts';
import { syntaxCases } from './syntax-cases.ts';
import { valueCases } from './value-cases.ts';
import { wordCases } from './word-cases.ts';

const whole = 'spec.endpoints[0].listen.port: has the wrong type';

const numbers: readonly ManifestCase[] = [
  ...[
    '443',
    '+443',
    '4_43',
    '5_',
    '0443',
    '0o443',
    '0x1bb',
    '0X1BB',
    '0b110111011',
    '443.0',
    '443.',
    '1e3',
    '1E3',
    '4e2',
  ].map((text) => accepts(`a port written as ${text}`, port(text))),
  ...['1.0e3', '.443e3', '08', '1_0e2', '!!int "443"', '!!float 443', '443 # a comment'].map((text) =>
    accepts(`a port written as ${text}`, port(text)),
  ),
  refuses(
    'a port in base 60, which is a string',
    port('22:30'),
    `${whole}, got "22:30": give a whole number`,
  ),
  refuses('a port in base 60 with a fraction', port('1:30.5'), `${whole}, got "1:30.5"`),
  refuses('a port in quotes', port('"443"'), `${whole}, got "443": write 443 without quotes`),
  refuses('a port as an explicit string', port('!!str 443'), 'write 443 without quotes'),
  refuses('a port as a word', port('https'), `${whole}, got "https": give a whole number`),
  refuses('a fraction', port('443.5'), `${whole}, got 443.5`),
  refuses('infinity', port('.inf'), `${whole}, got Infinity`),
  refuses('not a number', port('.nan'), `${whole}, got NaN`),
  refuses('an exponent out of range, which is a string', port('1e400'), `${whole}, got "1e400"`),
  refuses('a date', port('2001-01-01'), `${whole}, got "2001-01-01"`),
  refuses('a negative port', port('-443'), 'is too small, got -443: use at least 1'),
  refuses('a port above 65535', port('70000'), 'is too large, got 70000: use at most 65535'),
  refuses('a word that is a boolean', port('yes'), `${whole}, got true`),
  refuses('a port that is null', port('~'), 'spec.endpoints[0].listen.port: is missing'),
  refuses('a range in one field', port('8000-8010'), 'write port: 8000 and endPort: 8010'),
  refuses(
    'an address and a port in one field',
    port('192.0.2.10:8443'),
    'write address: 192.0.2.10 and port: 8443',
  ),
  refuses(
    'a range that ends before it begins',
    listen('{port: 8000, endPort: 7999}'),
    'spec.endpoints[0].listen.endPort: is not valid, got 7999: use an endPort that is not below port',
  ),
];

const addresses: readonly ManifestCase[] = [
  ...[
    '::1',
    '::ffff:192.0.2.1',
    '2001:db8::1',
    '!!str ::1',
    '&a ::1',
    '::1 # a comment',
    '>-\n        ::1',
    'null',
  ].map((text) => accepts(`an address in a block: ${text}`, address(text))),
  accepts('an address that ends with colons in brackets', listen('{address: 2001:db8::, port: 443}')),
  accepts('an address with a colon inside, in brackets', listen('{address: 2001:db8::1, port: 443}')),
  refuses(
    'colons in braces without quotes',
    listen('{address: ::, port: 443}'),
    'spec.endpoints[0].listen.address: begins with a colon, which kubectl does not read inside { } and [ ], got "::": quote "::" inside { }',
  ),
  refuses('loopback in braces without quotes', listen('{address: ::1, port: 443}'), 'quote "::1" inside { }'),
  refuses(
    'a range in brackets without quotes',
    spec('network: {allowedSources: [::/0]}'),
    'spec.network.allowedSources[0]: begins with a colon',
  ),
  refuses(
    'colons in a block without quotes',
    address('::'),
    'ends with a colon, which kubectl reads as that of a key, got "::": quote "::"',
  ),
  refuses('an address that ends with colons in a block', address('fe80::'), 'quote "fe80::"'),
  refuses('an address in brackets', address('"[::]"'), 'got "[::]": write "::" without brackets'),
  refuses('an address in brackets without quotes', address('[::]'), 'begins with a colon'),
  refuses(
    'an address with its port',
    address('192.0.2.10:443'),
    'put 443 into port: {address: 192.0.2.10, port: 443}',
  ),
  refuses(
    'an address in brackets with its port',
    address('"[::1]:443"'),
    'put 443 into port: {address: "::1", port: 443}',
  ),
  refuses('a star', address('"*"'), 'write "::" for every address of both families'),
  refuses('a star without quotes', address('*'), 'quote the value'),
  refuses('a zone', address('fe80::1%eth0'), 'zones are not supported'),
  refuses('a host name', address('localhost'), 'use an IPv4 or IPv6 address'),
  refuses('an address that is a number', address('1.2'), 'give a string'),
  refuses('quotes of a word processor', address('\u201c::\u201d'), 'use plain quotes'),
  refuses(
    'address and port as one text',
    listen('"[::]:443"'),
    'got "[::]:443": write {address: "::", port: 443}',
  ),
  refuses(
    'address and port as one text without quotes',
    listen('[::]:443'),
    'as in {address: "::", port: 443}',
  ),
  refuses(
    'an IPv4 address and port as one text',
    listen('0.0.0.0:443'),
    'write {address: 0.0.0.0, port: 443}',
  ),
  refuses('a port as one text', listen(':443'), 'write {port: 443}'),
  refuses('a port in place of a mapping', listen('443'), 'write {port: 443}'),
  refuses(
    'a range as one text',
    listen('0.0.0.0:8000-8010'),
    'write {address: 0.0.0.0, port: 8000, endPort: 8010}',
  ),
  refuses('a remote as one text', remotes('["192.0.2.10:8443"]'), 'write {address: 192.0.2.10, port: 8443}'),
  refuses('remotes as one text', remotes('192.0.2.10:8443'), 'write [{address: 192.0.2.10, port: 8443}]'),
];

const ofMetadata: readonly ManifestCase[] = [
  ...[
    'labels: {a: b}',
    'labels: {a: ""}',
    'labels: {a: null}',
    'labels: {example.com/a: b}',
    'annotations: {A: "x y"}',
  ].map((line) => accepts(`metadata with ${line}`, metadata(line))),
  ...[
    'annotations: {a: 2024-01-01}',
    'annotations: {on: a}',
    'annotations: {1: a}',
    'finalizers: [example.com/x]',
    'finalizers: null',
  ].map((line) => accepts(`metadata with ${line}`, metadata(line))),
  ...[
    'creationTimestamp: null',
    'creationTimestamp: 2024-01-01T00:00:00Z',
    'uid: abc',
    'generation: 3',
    'generateName: w-',
  ].map((line) => accepts(`metadata with ${line}`, metadata(line))),
  ...[
    'selfLink: /x',
    'ownerReferences: [{apiVersion: v1, kind: ConfigMap, name: a, uid: u}]',
    'namespace: ""',
  ].map((line) => accepts(`metadata with ${line}`, metadata(line))),
  accepts(
    'metadata with managedFields',
    metadata(
      'managedFields: [{manager: x, operation: Apply, apiVersion: realm-operator.dev/v1alpha1, time: "2024-01-01T00:00:00Z", fieldsType: FieldsV1, fieldsV1: {"f:spec": {}}}]',
    ),
  ),
  refuses(
    'a namespace in capitals',
    metadata('namespace: My_NS'),
    'metadata.namespace: is not valid, got "My_NS": use lower-case letters',
  ),
  refuses('a namespace with a dot', metadata('namespace: a.b'), 'metadata.namespace: is not valid'),
  refuses('a namespace that is a number', metadata('namespace: 1'), 'metadata.namespace: has the wrong type'),
  refuses('a name in capitals', with_('name: web', 'name: Web'), 'metadata.name: is not valid'),
  refuses('a name that is a number', with_('name: web', 'name: 1'), 'metadata.name: has the wrong type'),
  refuses(
    'a label that is a number',
    metadata('labels: {a: 1}'),
    'metadata.labels.a: has the wrong type, got 1',
  ),
  refuses(
    'a label with a space',
    metadata('labels: {a: "x y"}'),
    'metadata.labels.a: is no value of a label',
  ),
  refuses('the key of a label with a space', metadata('labels: {"a b": c}'), 'is no valid key'),
  refuses('labels in a list', metadata('labels: []'), 'metadata.labels: has the wrong type'),
  refuses('an annotation with two slashes', metadata('annotations: {a.b/c/d: x}'), 'is no valid key'),
  refuses(
    'a finalizer with a space',
    metadata('finalizers: ["a b"]'),
    'metadata.finalizers[0]: is no valid key',
  ),
  refuses('a time that is none', metadata('creationTimestamp: yesterday'), 'use a time such as'),
  refuses(
    'a label in the singular',
    metadata('label: {a: b}'),
    'metadata.label: is an unknown key: did you mean "labels"?',
  ),
  refuses('a misspelt namespace', metadata('namespce: x'), 'did you mean "namespace"?'),
  refuses(
    'an owner without uid',
    metadata('ownerReferences: [{apiVersion: v1, kind: A, name: a}]'),
    'ownerReferences[0].uid: is missing',
  ),
];

const fields: readonly ManifestCase[] = [
  ...[
    'network: {udp: yes}',
    'network: {udp: on}',
    'network: {udp: True}',
    'network:',
    'network: {}',
    'replicas: 2.0',
  ].map((line) => accepts(`a spec with ${line}`, spec(line))),
  ...[
    'replicas: 1e1',
    'image: null',
    'paused: off',
    'logLevel: "off"',
    'resources: {limits: {memory: 1e9}}',
  ].map((line) => accepts(`a spec with ${line}`, spec(line))),
  ...['status: {}', 'status: null', 'status: {replicas: x}', 'status: []'].map((line) =>
    accepts(`a manifest with ${line}`, top(line)),
  ),
  refuses(
    'udp of the network',
    spec('udp: true'),
    'spec.udp: is an unknown key: did you mean "network.udp"?',
  ),
  refuses(
    'udp of an endpoint',
    spec('  udp: true'),
    'spec.endpoints[0].udp: is an unknown key: did you mean "network.udp"?',
  ),
  refuses('replicas of an endpoint', spec('  replicas: 2'), 'did you mean "spec.replicas"?'),
  refuses(
    'a health check of all endpoints',
    spec('healthCheck: {}'),
    'did you mean "endpoints[].healthCheck"?',
  ),
  refuses(
    'a misspelt field',
    spec('replica: 2'),
    'spec.replica: is an unknown key: did you mean "replicas"?',
  ),
  refuses("Realm's spelling", spec('network: {tcp_timeout: 3}'), 'did you mean "tcpTimeoutSeconds"?'),
  refuses('an unknown key that is null', spec('foo: null'), 'spec.foo: is an unknown key: remove it'),
  refuses('an unknown key beside the spec', top('data: {a: b}'), 'data: is an unknown key'),
  refuses('an unknown key of the status', top('status: {foo: 1}'), 'status.foo: is an unknown key'),
  refuses('a key without a space after it', listen('{port:443}'), 'write a space after the colon'),
  refuses('a word in place of true', spec('network: {udp: "yes"}'), 'write true without quotes'),
  refuses(
    'a level that is false in YAML',
    spec('logLevel: off'),
    'in quotes: on, off, yes and no are true and false',
  ),
  refuses('a fraction of a processor', spec('resources: {limits: {cpu: 0.5}}'), 'write 500m'),
  refuses('a duration with its unit', spec('drainSeconds: 30s'), 'spec.drainSeconds: has the wrong type'),
  refuses('no spec', base.slice(0, base.indexOf('spec')), 'spec: is missing'),
  refuses('no name', with_('  name: web\n', '  labels: {}\n'), 'metadata.name: is missing'),
  refuses(
    'another version of the API',
    with_('v1alpha1', 'v1'),
    'apiVersion: is not one of the allowed values',
  ),
  refuses('no version of the API', base.replace(/^.*\n/, ''), 'apiVersion: is not one of the allowed values'),
  refuses(
    'a mapping in place of a list',
    with_('  - name', '    name'),
    'spec.endpoints: has the wrong type',
  ),
];

/** Manifests as people write them, mistakes among them, and what the API server says. */
export const manifestCases: readonly ManifestCase[] = [
  accepts('a manifest', base),
  ...numbers,
  ...addresses,
  ...ofMetadata,
  ...fields,
  ...syntaxCases,
  ...valueCases,
  ...wordCases,
];

import { isIP } from 'node:net';
import { duplexPair } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { parseManifest } from '../../src/api/manifest.ts';
import { decodedText } from '../../src/cli/text-encoding.ts';
import { yamlDocuments } from '../../src/cli/yaml-documents.ts';
import { isFault, parseSocketAddress, socketAddressText } from '../../src/config/address.ts';
import { ConfigError } from '../../src/config/config-error.ts';
import { parseRelayConfig } from '../../src/config/parsed-config.ts';
import { hostText, parseIpAddress } from '../../src/lib/ip-address.ts';
import { problemText } from '../../src/lib/problem.ts';
import { relayReport, WrongAnswerError } from '../../src/operator/relay-client.ts';
import { parsePolicies } from '../../src/relay/dns/destination-order.ts';
import { hostsAddresses } from '../../src/relay/dns/hosts-file.ts';
import { maxAddresses, messageId, readReply } from '../../src/relay/dns/message.ts';
import { hostServices } from '../../src/relay/dns/nsswitch.ts';
import { parseResolvConf, searchNames } from '../../src/relay/dns/resolv-conf.ts';
import { parseProxyHeader, ProxyHeaderError } from '../../src/relay/proxy-protocol/header.ts';
import { systemClock } from '../../src/lib/clock.ts';
import {
  ClientHelloError,
  ClientHelloParser,
  maxHelloRecordBytes,
} from '../../src/relay/transport/client-hello.ts';
import { readRequest } from '../../src/relay/transport/web-socket-request.ts';
import { acceptWebSocket } from '../../src/relay/transport/web-socket.ts';

/** A parser that meets outsiders. */
export type Target = {
  readonly name: string;
  /** Inputs to begin with; the kept corpus comes on top. */
  readonly seeds: readonly string[];
  /** Words of its format, for mutations. */
  readonly tokens: readonly string[];
  /** Throws where the parser breaks a promise: another error than its own, or a result that cannot be. */
  readonly run: (input: Buffer) => void | Promise<void>;
};

/** Runs `parse`; errors of the kinds `own` are right answers. */
function tolerating(own: readonly (new (...args: never[]) => Error)[], parse: () => void): void {
  try {
    parse();
  } catch (error) {
    if (!own.some((kind) => error instanceof kind)) throw error;
  }
}

function require(isTrue: boolean, promise: string): void {
  if (!isTrue) throw new Error(`broken promise: ${promise}`);
}

function realmRelayYaml(input: Buffer): void {
  const decoded = decodedText(input);
  if ('fault' in decoded) return;
  for (const { value, problems: ofYaml, positionOf } of yamlDocuments(decoded.text)) {
    require(value !== undefined || ofYaml.length > 0, 'a document has a value, or a reason why not');
    const { problems, warnings, unknownKeys } = parseManifest(value);
    for (const problem of [...problems, ...warnings, ...unknownKeys]) {
      require(problemText(problem) !== '', 'every problem has a text');
      const { line, column } = positionOf(problem.path);
      require(line > 0 && column > 0, 'every problem has a position');
    }
  }
}

function relayConfig(input: Buffer): void {
  tolerating([ConfigError], () => {
    const { config } = parseRelayConfig([{ source: 'file', text: input.toString('utf8') }]);
    const names = config.endpoints.map(({ name }) => name);
    require(new Set(names).size === names.length, 'names of endpoints are unique');
  });
}

function proxyHeader(input: Buffer): void {
  tolerating([ProxyHeaderError], () => {
    const header = parseProxyHeader(input);
    if (header === undefined) return;
    require(header.length <= input.length, 'a header is no longer than what was read');
    const shorter = parseProxyHeader(input.subarray(0, header.length - 1));
    require(shorter === undefined, 'a header that is one byte short needs more bytes');
    if (header.addresses === undefined) return;
    const { source, destination } = header.addresses;
    const families = [source, destination].map(({ address }) => isIP(address));
    require(families[0] !== 0 && families[0] === families[1], 'both addresses are of one family');
    for (const { port } of [source, destination])
      require(Number.isInteger(port) && port >= 0 && port <= 65_535, 'a port is one');
  });
}

const target = { host: 'a.example', path: '/ws', pings: { intervalMs: 0 } };

function webSocketRequest(input: Buffer): void {
  const read = readRequest(input.toString('latin1'), target);
  if ('fault' in read) return;
  for (const [name, value] of Object.entries(read.headers))
    require(!/[\r\n]/.test(name + value), 'a header field has no line break');
}

const upgradeRequest =
  'GET /ws HTTP/1.1\r\nHost: a.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
  'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n';

/** Turns of the event loop in which frames that came in one piece have gone through. */
const turns = 8;

async function webSocketFrames(input: Buffer): Promise<void> {
  const [client, server] = duplexPair();
  client.on('error', () => undefined).resume();
  client.write(upgradeRequest);
  const stream = await acceptWebSocket(server, target, systemClock);
  let bytes = 0;
  stream.on('data', (part: Buffer) => (bytes += part.length)).on('error', () => undefined);
  client.end(input);
  for (let turn = 0; turn < turns; turn += 1) await setImmediate();
  for (const each of [stream, server, client]) each.destroy();
  require(bytes <= input.length, 'no more is read than was sent');
}

function address(input: Buffer): void {
  const text = input.toString('utf8');
  const ip = parseIpAddress(text);
  if (ip !== undefined) {
    const again = parseIpAddress(ip.zone === '' ? ip.text : `${ip.text}%${ip.zone}`);
    require(again?.text === ip.text && again.family === ip.family, 'the text of an address is that address');
    require(hostText(ip).includes(ip.text), 'an address stands in its host text');
  }
  const parsed = parseSocketAddress(text);
  if (isFault(parsed)) return;
  const again = parseSocketAddress(socketAddressText(parsed));
  require(!isFault(again) && again.port === parsed.port, 'the text of a socket address is that address');
}

function relayStatus(input: Buffer): void {
  tolerating([SyntaxError, WrongAnswerError], () => {
    const { configProblem, unready } = relayReport(JSON.parse(input.toString('utf8')), ['a']);
    require(unready.length < 2 && unready.every(({ name }) => name === 'a'), 'a report has known endpoints');
    for (const text of [configProblem, ...unready.map(({ message }) => message)])
      require(!/\p{Cc}/u.test(text) && text.length <= 1_025, 'a report has short lines');
  });
}

function systemFiles(input: Buffer): void {
  const text = input.toString('utf8');
  for (const found of hostsAddresses(text, 'a.example'))
    require(isIP(found) !== 0, 'a hosts file gives addresses');
  const conf = parseResolvConf(text);
  require(searchNames('a', conf).includes('a'), 'a name is looked up as it is, too');
  require(conf.nameservers.length > 0, 'there is a name server');
  require(conf.nameservers.every((server) => isIP(server) !== 0), 'a name server is an address');
  require(hostServices(text).every(({ name }) => !/\s/.test(name)), 'a service is one word');
  parsePolicies(text);
}

/** The head of a reply for a.example, AAAA, with so many answers. */
function dnsHead(flags: string, answers: number): string {
  const counts = `\0\x01\0${String.fromCharCode(answers)}\0\0\0\0`;
  return `\x12\x34${flags}${counts}\x01a\x07example\0\0\x1c\0\x01`;
}

function dnsReply(input: Buffer): void {
  if (messageId(input) === undefined) return;
  const reply = readReply(input, { name: 'a.example', type: 'AAAA' });
  if (reply?.kind === 'addresses') {
    require(reply.addresses.every((each) => isIP(each) === 6), 'a reply gives addresses of the type');
    require(reply.addresses.length > 0 && reply.addresses.length <= maxAddresses, 'addresses are limited');
    require(reply.ttlMs >= 0 && reply.ttlMs <= 2 ** 31 * 1000, 'a time to live is one');
  }
}

/** The outcome for a ClientHello that comes in parts of `size`: its name, what it is refused for, or '' if more is to come. */
function helloOutcome(input: Buffer, size: number): string {
  const parser = new ClientHelloParser();
  try {
    for (let at = 0; at < input.length; at += size) {
      const hello = parser.push(input.subarray(at, at + size));
      if (hello !== undefined) return `name ${hello.serverName}`;
    }
  } catch (error) {
    if (error instanceof ClientHelloError) return `refused: ${error.message}`;
    throw error;
  }
  return '';
}

function clientHello(input: Buffer): void {
  const outcome = helloOutcome(input, input.length);
  for (const size of [1, 7]) require(helloOutcome(input, size) === outcome, 'the split does not matter');
  require(/^(name [!-~]{0,255}|refused: .*|)$/.test(outcome), 'a name is printable');
  require(!/^name .*[A-Z]/.test(outcome), 'a name is in lower case');
  require(input.length <= maxHelloRecordBytes + 16_389 || outcome !== '', 'there is an end to waiting');
}

/** A ClientHello of 61 bytes, up to its extensions. */
const helloHead = `\x01\0\0\x3d\x03\x03${'r'.repeat(32)}\0\0\x02\x13\x01\x01\0`;

/** Every parser that reads what an outsider wrote. */
export const targets: readonly Target[] = [
  {
    name: 'realm-relay-yaml',
    seeds: [
      'apiVersion: realm-operator.dev/v1alpha1\nkind: RealmRelay\nmetadata: {name: a}\nspec:\n  endpoints:\n  - name: a\n    listen: {address: "::", port: 443}\n    remotes: [{address: a.example, port: 1}]\n',
      '{"apiVersion":"realm-operator.dev/v1alpha1","kind":"RealmRelay","metadata":{"name":"a"},"spec":{}}',
      'a: &a [*a]\n---\nb: !!binary x\n',
    ],
    tokens: [
      '- ',
      ': ',
      '\n  ',
      '---\n',
      '&a ',
      '*a',
      '!!',
      'spec:',
      'endpoints:',
      'endPort: 1',
      '"::"',
      '.nan',
      '0x1',
    ],
    run: realmRelayYaml,
  },
  {
    name: 'relay-config',
    seeds: [
      '{"log":{"level":"info"},"network":{"use_udp":true},"endpoints":[{"listen":"[::]:1","remote":"a:2","balance":"roundrobin: 1"}]}',
      '[[endpoints]]\nlisten = "0.0.0.0:1"\nremote = "[::1]:2"\nlisten_transport = "ws;host=a;path=/"\n',
      '{"listening_addresses":["0.0.0.0"],"listening_ports":["1-3"],"remote_addresses":["a"],"remote_ports":["4-6"]}',
    ],
    tokens: [
      '"endpoints":',
      '[[',
      ']]',
      ' = ',
      'tls;',
      'ws;',
      'range_of',
      '1-65535',
      '"""',
      '{',
      '}',
      'nan',
      'inf',
    ],
    run: relayConfig,
  },
  {
    name: 'proxy-header',
    seeds: [
      'PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n',
      'PROXY TCP6 2001:db8::1 2001:db8::2 1 2\r\n',
      'PROXY UNKNOWN\r\n',
      '\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x01\x02\x03\x04\x05\x06\x07\x08\0\x01\0\x02',
      '\r\n\r\n\0\r\nQUIT\n\x20\0\0\0',
    ],
    tokens: ['PROXY ', 'TCP4 ', 'TCP6 ', 'UNKNOWN', '\r\n', ' ', '65536', '::1'],
    run: proxyHeader,
  },
  {
    name: 'client-hello',
    seeds: [
      `\x16\x03\x01\0\x41${helloHead}\0\x12\0\0\0\x0e\0\x0c\0\0\x09a.example`,
      `\x16\x03\x03\0\x2d\x01\0\0\x29\x03\x03${'r'.repeat(32)}\0\0\x02\x13\x01\x01\0`,
      `\x16\x03\x01\0\x01\x01\x16\x03\x01\0\x03\0\0\x29`,
      '\x15\x03\x01\0\x02\x02\x28',
    ],
    tokens: [
      '\x16\x03\x01',
      '\x01\0\0',
      '\0\0\0',
      '\x5a\x5a',
      'A.example.',
      '\xff\xff',
      '\0\x01',
      '\x03\x03',
    ],
    run: clientHello,
  },
  {
    name: 'web-socket-request',
    seeds: [upgradeRequest.trimEnd(), `GET / HTTP/1.1\r\na:${' '.repeat(64)}\nx`],
    tokens: ['\r\n', ': ', ' ', '\t', 'Host', 'Upgrade', 'Sec-WebSocket-Key', 'Content-Length: 1', ','],
    run: webSocketRequest,
  },
  {
    name: 'web-socket-frames',
    seeds: ['\x82\x81\0\0\0\0a', '\x02\x80\0\0\0\0\x80\x80\0\0\0\0', '\x88\x80\0\0\0\0', '\x89\x80\0\0\0\0'],
    tokens: ['\x82', '\x80', '\x02', '\x88', '\xff', '\x7f', '\x7e'],
    run: webSocketFrames,
  },
  {
    name: 'address',
    seeds: [
      '192.0.2.1:80',
      '[2001:db8::1%eth0]:443',
      'a.example:1',
      '::ffff:192.0.2.1',
      '::1:80',
      '0x7f.1:80',
    ],
    tokens: [':', '::', '[', ']', '%', '.', '0x', '65535'],
    run: address,
  },
  {
    name: 'relay-status',
    seeds: [
      `{"configHash":"${'0'.repeat(64)}","configProblem":"","unready":[{"name":"a","message":"m","reasons":["r"]}]}`,
    ],
    tokens: [
      '{',
      '}',
      '[',
      ']',
      '"',
      ':',
      ',',
      'null',
      'false',
      '"unready"',
      '"reasons"',
      '"__proto__"',
      '\\n',
    ],
    run: relayStatus,
  },
  {
    name: 'dns-reply',
    seeds: [
      `${dnsHead('\x81\x80', 1)}\xc0\f\0\x1c\0\x01\0\0\0<\0\x10${'\0'.repeat(15)}\x01`,
      `${dnsHead('\x81\x80', 2)}\xc0\f\0\x05\0\x01\0\0\0<\0\x03\x01b\0\x01b\0\0\x1c\0\x01\0\0\0<\0\x10${'\0'.repeat(16)}`,
      dnsHead('\x81\x83', 0),
      dnsHead('\x83\x80', 0),
    ],
    tokens: ['\xc0\f', '\x01a\x07example\0', '\0\x1c\0\x01', '\0\x05\0\x01', '\x3f', '\xff\xff', '\0\0'],
    run: dnsReply,
  },
  {
    name: 'system-files',
    seeds: [
      '127.0.0.1 localhost a.example # c\n::1 a.example\n',
      'search a.example b.example\nnameserver ::1\n',
      'hosts: files mdns4_minimal [NOTFOUND=return] dns [!UNAVAIL=continue]\n',
      'precedence ::ffff:0:0/96 100\n',
    ],
    tokens: ['\n', '#', '\t', 'search ', 'domain ', 'options ndots:1'],
    run: systemFiles,
  },
];

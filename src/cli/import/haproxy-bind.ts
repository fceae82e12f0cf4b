import type { RealmNetwork } from '../../config/realm-document.ts';
import { fault, leftOut, portsIn, type ForeignNote, type Ports } from './foreign.ts';
import { parametersIn, variableFault, type Directive } from './haproxy-words.ts';

/** An address of `bind`. */
type Binding = {
  readonly line: number;
  readonly host: string;
  readonly ports: Ports;
  readonly network: RealmNetwork;
  /** TLS towards the clients, in Realm's words. */
  readonly transport?: string;
};

/** Parameters of `bind` that are read. */
const known = ['accept-proxy', 'v6only', 'ssl', 'crt', 'alpn', 'ca-file', 'verify', 'maxconn'];
/** Parameters of `bind` with a value and without a counterpart that nobody misses. */
const silentWithValue = ['name', 'id', 'backlog', 'level', 'process', 'thread', 'shards', 'mss', 'tcp-ut'];
const silent = ['v4v6', 'tfo', 'defer-accept', ...silentWithValue];
const withValue = [
  ...silentWithValue,
  'crt',
  'interface',
  'maxconn',
  'alpn',
  'ca-file',
  'verify',
  'user',
  'group',
  'mode',
  'nice',
  'ssl-min-ver',
  'ssl-max-ver',
  'ciphers',
  'ciphersuites',
  'crt-list',
];

/** The addresses that `section` listens on, with their parameters. */
export function bindings(
  { directives }: { readonly directives: readonly Directive[] },
  notes: ForeignNote[],
): Binding[] {
  const all = directives
    .filter(({ words }) => words[0] === 'bind')
    .flatMap(({ line, words }) => {
      const [, addresses = '', ...parameters] = words;
      const settings = settingsOf(line, parameters, notes);
      return addresses.split(',').flatMap((address) => {
        const place = addressOf(address);
        const variable = variableFault(line, 'bind', address);
        if (place !== undefined && variable === undefined) return [{ line, ...place, ...settings }];
        const remedy = 'write ADDRESS:PORT, or ADDRESS:FIRST-LAST';
        notes.push(
          variable ?? fault({ line, word: 'bind', value: address }, 'is no address with a port', remedy),
        );
        return [];
      });
    });
  return all.map((each) => besideIpv4(each, all));
}

/** HAProxy shares a port between `*:443` and `:::443`; whichever gets a client of IPv4 serves the same section. */
function besideIpv4(binding: Binding, all: readonly Binding[]): Binding {
  const isShared = all.some(
    ({ host, ports }) =>
      host === '0.0.0.0' && ports.first <= binding.ports.last && ports.last >= binding.ports.first,
  );
  if (binding.host !== '::' || !isShared) return binding;
  return { ...binding, network: { ...binding.network, ipv6_only: true } };
}

/** HAProxy reads an empty address and a star as every IPv4 address. */
function addressOf(text: string): { readonly host: string; readonly ports: Ports } | undefined {
  const [, bracketed, plain = '', port = ''] =
    /^(?:ipv[46]@)?(?:\[([^\]]*)\]|([^[\]@]*)):([0-9-]+)$/.exec(text) ?? [];
  const ports = portsIn(port);
  if (ports === undefined) return undefined;
  const host = bracketed ?? plain;
  if (host !== '' && host !== '*') return { host, ports };
  return { host: text.startsWith('ipv6@') ? '::' : '0.0.0.0', ports };
}

function settingsOf(
  line: number,
  parameters: readonly string[],
  notes: ForeignNote[],
): Pick<Binding, 'network' | 'transport'> {
  const given = parametersIn(parameters, withValue);
  const unknown = [...given].filter(([word]) => !known.includes(word) && !silent.includes(word));
  notes.push(...unknown.map(([word, value]) => leftOut(line, `bind ${word}`, undefined, value || undefined)));
  return {
    network: {
      ...(given.has('accept-proxy') && { accept_proxy: true }),
      ...(given.has('v6only') && { ipv6_only: true }),
    },
    ...(given.has('ssl') && { transport: transportOf(given) }),
  };
}

/** HAProxy has certificate and key in one file. */
function transportOf(given: ReadonlyMap<string, string>): string {
  const file = given.get('crt') ?? '';
  const authorities = given.get('verify') === 'required' ? given.get('ca-file') : undefined;
  return [
    'tls',
    `cert=${file}`,
    `key=${file}`,
    ...(given.has('alpn') ? [`alpn=${given.get('alpn') ?? ''}`] : []),
    ...(authorities === undefined ? [] : [`clientca=${authorities}`]),
  ].join(';');
}

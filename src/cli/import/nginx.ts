import type { RealmNetwork } from '../../config/realm-document.ts';
import {
  balanceKeys,
  fault,
  leftOut,
  listenKeys,
  hostAndPorts,
  remoteKeys,
  secondsIn,
  type ForeignEndpoint,
  type ForeignNote,
  type ForeignReader,
  type ForeignRemote,
  type Ports,
} from './foreign.ts';
import { nginxFile, type NginxDirective } from './nginx-blocks.ts';
import { poolOf, type Pool, type Upstreams } from './nginx-upstream.ts';

/** Directives that concern only the program, or that have no effect on what is relayed. */
const silent = [
  'access_log',
  'error_log',
  'log_format',
  'tcp_nodelay',
  'preread_buffer_size',
  'preread_timeout',
  'proxy_buffer_size',
  'proxy_next_upstream',
  'proxy_next_upstream_timeout',
  'proxy_next_upstream_tries',
  'server_name',
  'ssl_session_cache',
  'ssl_session_timeout',
  'ssl_protocols',
  'ssl_ciphers',
  'ssl_prefer_server_ciphers',
  'proxy_ssl_server_name',
  'proxy_socket_keepalive',
  'variables_hash_max_size',
  'resolver',
  'resolver_timeout',
  'zone',
];
/** Directives that are read, by name. */
const read = [
  'listen',
  'proxy_pass',
  'proxy_connect_timeout',
  'proxy_timeout',
  'proxy_protocol',
  'proxy_bind',
  'proxy_ssl',
  'proxy_ssl_name',
  'proxy_ssl_verify',
  'proxy_ssl_trusted_certificate',
  'ssl_certificate',
  'ssl_certificate_key',
  'ssl_client_certificate',
  'ssl_verify_client',
  'ssl_alpn',
  'allow',
  'deny',
  'server',
  'upstream',
  'set_real_ip_from',
];

/** Whether `words`, of which the first begins a line, are a directive of their own, and no more values of the one before. */
function isDirective([name = '', ...values]: readonly string[]): boolean {
  // It is also a parameter of listen.
  if (name === 'proxy_protocol') return ['on', 'off'].includes(values[0] ?? '');
  return silent.includes(name) || read.includes(name) || prefixed.test(name);
}

/** Names of directives that are neither read nor known by name. */
const prefixed = /^(?:access|error|js|limit|log|preread|proxy|set|ssl|tcp|variables|worker)_[a-z_]+$/;

/**
 * Reads nginx.conf: the servers and upstreams of the block `stream`, or of a file that such a block includes.
 *
 * Source: nginx, ngx_stream_core_module, ngx_stream_proxy_module, ngx_stream_upstream_module.
 */
export const readNginx: ForeignReader = (text) => {
  const { directives: root, faults } = nginxFile(text, isDirective);
  const notes: ForeignNote[] = [...faults];
  const streams = root.filter(({ words }) => words[0] === 'stream').flatMap(({ block = [] }) => block);
  const isIncluded = streams.length === 0 && root.some(({ words }) => words[0] === 'server');
  const stream = isIncluded ? root : streams;
  const outside = ['http', 'mail', 'include'];
  for (const { line, words } of isIncluded ? [] : root)
    if (outside.includes(words[0] ?? ''))
      notes.push(leftOut(line, words[0] ?? '', 'only the block stream is read'));
  noteUnknown(stream, notes);
  const upstreams = new Map(
    stream.flatMap((each) => (each.words[0] === 'upstream' ? [[each.words[1] ?? '', each] as const] : [])),
  );
  const servers = stream.filter(({ words }) => words[0] === 'server');
  return { endpoints: servers.flatMap((server) => endpointsOf(server, { stream, upstreams, notes })), notes };
};

type Context = {
  readonly stream: readonly NginxDirective[];
  readonly upstreams: Upstreams;
  readonly notes: ForeignNote[];
};

function noteUnknown(directives: readonly NginxDirective[], notes: ForeignNote[]): void {
  for (const { line, words } of directives) {
    const [name = '', ...values] = words;
    if (!silent.includes(name) && !read.includes(name))
      notes.push(leftOut(line, name, undefined, values.join(' ') || undefined));
  }
}

function endpointsOf(server: NginxDirective, { stream, upstreams, notes }: Context): ForeignEndpoint[] {
  const block = server.block ?? [];
  noteUnknown(block, notes);
  noteTransparent(last(block, 'proxy_bind') ?? last(stream, 'proxy_bind'), notes);
  const value = (name: string): string | undefined =>
    (last(block, name) ?? last(stream, name))?.words.slice(1).join(' ');
  const pass = last(block, 'proxy_pass');
  const pool = pass === undefined ? undefined : poolOf(pass, upstreams, notes);
  if (pool === undefined) {
    if (pass === undefined) {
      const remedy = 'add it, or remove the server';
      notes.push(fault({ line: server.line, word: 'server' }, 'has no proxy_pass', remedy));
    }
    return [];
  }
  const network = {
    ...timesOf(value),
    ...sourcesOf(block, stream, notes),
    ...(value('proxy_protocol') === 'on' && { send_proxy: true, send_proxy_version: 1 }),
  };
  return block
    .filter(({ words }) => words[0] === 'listen')
    .flatMap(({ line, words }) => {
      const listen = listenOf(line, words.slice(1), notes);
      return listen === undefined ? [] : [{ line, endpoint: endpointOf(listen, { pool, network, value }) }];
    });
}

function noteTransparent(bind: NginxDirective | undefined, notes: ForeignNote[]): void {
  const [, address = '', ...parameters] = bind?.words ?? [];
  if (bind === undefined || !(address.startsWith('$') || parameters.includes('transparent'))) return;
  const remedy = 'sendProxy tells remotes the addresses of clients';
  notes.push(leftOut(bind.line, 'proxy_bind', remedy, bind.words.slice(1).join(' ')));
}

type Settings = { readonly pool: Pool; readonly network: RealmNetwork; readonly value: Value };

function endpointOf(listen: Listen, { pool, network, value }: Settings): ForeignEndpoint['endpoint'] {
  const through = value('proxy_bind')?.split(' ')[0] ?? 'off';
  return {
    ...listenKeys(listen.host, listen.ports),
    ...remoteKeys(pool.remotes, listen.ports),
    ...balanceKeys(pool.strategy, pool.remotes),
    ...(!through.startsWith('$') && through !== 'off' && { through }),
    ...(listen.isTls && { listen_transport: listenTls(value) }),
    ...(value('proxy_ssl') === 'on' && { remote_transport: remoteTls(value, pool.remotes) }),
    network: { ...(listen.isUdp ? ofUdp(network) : network), ...listen.network },
  };
}

/** proxy_timeout is the idle time of both protocols. */
function ofUdp({ tcp_idle_timeout: idle, ...others }: RealmNetwork): RealmNetwork {
  return { ...others, ...(idle !== undefined && { udp_timeout: idle }) };
}

function last(directives: readonly NginxDirective[], name: string): NginxDirective | undefined {
  return directives.findLast(({ words }) => words[0] === name);
}

type Value = (name: string) => string | undefined;

function timesOf(value: Value): RealmNetwork {
  const [connect, idle] = [value('proxy_connect_timeout'), value('proxy_timeout')];
  const [connectSeconds, idleSeconds] = [connect, idle].map((text) => text && secondsIn(text, 's'));
  return {
    ...(typeof connectSeconds === 'number' && { tcp_timeout: connectSeconds }),
    ...(typeof idleSeconds === 'number' && { tcp_idle_timeout: idleSeconds }),
  };
}

/** `allow` and then `deny all` is a list of sources; other rules have no counterpart. */
function sourcesOf(
  block: readonly NginxDirective[],
  stream: readonly NginxDirective[],
  notes: ForeignNote[],
): RealmNetwork {
  const own = block.filter(({ words }) => ['allow', 'deny'].includes(words[0] ?? ''));
  const rules =
    own.length > 0 ? own : stream.filter(({ words }) => ['allow', 'deny'].includes(words[0] ?? ''));
  const allowed = rules
    .filter(({ words }) => words[0] === 'allow' && words[1] !== 'all')
    .map(({ words }) => words[1] ?? '');
  const closing = rules.at(-1)?.words.join(' ');
  for (const { line, words } of rules)
    if (words[0] === 'deny' && words[1] !== 'all')
      notes.push(leftOut(line, 'deny', 'list the clients to serve in allowedSources', words[1]));
  return closing === 'deny all' && allowed.length > 0 ? { allowed_sources: allowed } : {};
}

type Listen = {
  readonly host: string;
  readonly ports: Ports;
  readonly isUdp: boolean;
  readonly isTls: boolean;
  readonly network: RealmNetwork;
};

const silentParameters =
  /^(?:reuseport|default_server|bind|deferred|backlog=.*|rcvbuf=.*|sndbuf=.*|fastopen=.*|so_keepalive=.*|ipv6only=(?:on|off)|udp|ssl|proxy_protocol)$/;

function listenOf(line: number, words: readonly string[], notes: ForeignNote[]): Listen | undefined {
  const [address = '', ...parameters] = words;
  const place = hostAndPorts(address.includes(':') ? address : `:${address}`);
  if (place === undefined) {
    const remedy = 'write PORT, ADDRESS:PORT or a range of ports';
    notes.push(fault({ line, word: 'listen', value: address }, 'is no address with a port', remedy));
    return undefined;
  }
  const unknown = parameters.filter((parameter) => !silentParameters.test(parameter));
  notes.push(...unknown.map((parameter) => leftOut(line, `listen ${parameter}`)));
  const host = ['', '*'].includes(place.host) ? '0.0.0.0' : place.host;
  return {
    ...{ host, ports: place.ports },
    isUdp: parameters.includes('udp'),
    isTls: parameters.includes('ssl'),
    network: listenNetwork(host, parameters),
  };
}

/** The IPv6 wildcard serves IPv6 alone, unless ipv6only=off. */
function listenNetwork(host: string, parameters: readonly string[]): RealmNetwork {
  return {
    ...(parameters.includes('udp') && { use_udp: true, no_tcp: true }),
    ...(parameters.includes('proxy_protocol') && { accept_proxy: true }),
    ...(host === '::' && !parameters.includes('ipv6only=off') && { ipv6_only: true }),
  };
}

function listenTls(value: Value): string {
  const authorities = value('ssl_verify_client') === 'on' ? value('ssl_client_certificate') : undefined;
  return [
    'tls',
    `cert=${value('ssl_certificate') ?? ''}`,
    `key=${value('ssl_certificate_key') ?? ''}`,
    ...(authorities === undefined ? [] : [`clientca=${authorities}`]),
    ...(value('ssl_alpn') === undefined ? [] : [`alpn=${(value('ssl_alpn') ?? '').replaceAll(' ', ',')}`]),
  ].join(';');
}

/** nginx checks certificates only with proxy_ssl_verify. */
function remoteTls(value: Value, remotes: readonly ForeignRemote[]): string {
  const name = value('proxy_ssl_name') ?? remotes[0]?.host ?? '';
  const authorities = value('proxy_ssl_trusted_certificate');
  const isChecked = value('proxy_ssl_verify') === 'on';
  return [
    'tls',
    `sni=${name}`,
    ...(!isChecked ? ['insecure'] : authorities === undefined ? [] : [`ca=${authorities}`]),
  ].join(';');
}

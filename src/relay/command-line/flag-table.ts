import { logLevels } from '../../lib/log-level.ts';

/** One flag of the command line; its long name is its key. */
export type Flag = {
  readonly short?: string;
  /** Names its value in the help; absent if it takes none. */
  readonly value?: string;
  readonly help: string;
};

/** Where the admin server listens by default. */
export const defaultAdmin = '127.0.0.1:9180';

/** How long connections may go on after SIGTERM by default. */
export const defaultDrainSeconds = 30;

const seconds = { value: 'S' };

/** Flags that Realm does not have. */
export const ownFlagTable: Readonly<Record<string, Flag>> = {
  check: { help: 'only check the configuration: every problem is printed, exit code 0 or 1' },
  admin: { value: 'ADDR', help: `/livez /readyz /status /metrics; default ${defaultAdmin}; "off" = none` },
  'drain-seconds': {
    ...seconds,
    help: `how long connections may go on after SIGTERM; default ${String(defaultDrainSeconds)}`,
  },
  'drain-lag-seconds': {
    value: 'S',
    help: 'how long new connections are still taken after SIGTERM, while not ready; default 0',
  },
  workers: {
    value: 'N',
    help: 'processes that share the TCP connections, 1 to 64; default 1',
  },
};

/** Flags that describe the one endpoint of `-l` and `-r`, each with its key of `[[endpoints]]`. */
export const endpointKeys: Readonly<Record<string, string>> = {
  listen: 'listen',
  remote: 'remote',
  through: 'through',
  'listen-transport': 'listen_transport',
  'remote-transport': 'remote_transport',
};

/** Realm's flags that this relay implements. */
const realmFlagTable: Readonly<Record<string, Flag>> = {
  config: {
    short: 'c',
    value: 'PATH',
    help: 'configuration in TOML or JSON, a file or a folder of them; followed, a change is taken at once',
  },
  listen: { short: 'l', value: 'ADDR', help: 'listen address: IPV4:PORT, [IPV6]:PORT or HOST:PORT' },
  remote: { short: 'r', value: 'ADDR', help: 'remote address' },
  through: { short: 'x', value: 'ADDR', help: 'source address for dialling' },
  'listen-transport': { short: 'a', value: 'OPTS', help: 'TLS and WebSocket towards the client' },
  'remote-transport': { short: 'b', value: 'OPTS', help: 'TLS and WebSocket towards the remote' },
  udp: { short: 'u', help: 'relay UDP, too' },
  ntcp: { short: 't', help: 'no TCP' },
  ipv6: { short: '6', help: 'IPv6 listen sockets take IPv6 only (ipv6_only)' },
  'tcp-timeout': {
    ...seconds,
    help: 'to connect to a remote, name lookup included; default 5, 0 = no limit',
  },
  'udp-timeout': { ...seconds, help: 'silence after which a UDP association ends; default 30, 0 = never' },
  'tcp-keepalive': { ...seconds, help: 'idle time before a probe, and between probes; default 15, 0 = none' },
  'tcp-keepalive-probe': { value: 'N', help: 'unanswered probes until a peer counts as dead; default 3' },
  'send-proxy': { value: 'BOOL', help: 'begin connections to remotes with a PROXY header' },
  'send-proxy-version': { value: 'N', help: '1 or 2; default 2' },
  'accept-proxy': { value: 'BOOL', help: 'expect a PROXY header from clients' },
  'accept-proxy-timeout': { ...seconds, help: 'to receive it; default 5, 0 = no limit' },
  'dns-mode': {
    value: 'MODE',
    help: 'ipv4_only, ipv6_only, ipv4_and_ipv6, ipv4_then_ipv6 or ipv6_then_ipv4',
  },
  'dns-servers': { value: 'LIST', help: 'name servers, HOST:PORT with commas between' },
  'dns-protocol': { value: 'P', help: 'tcp, udp or tcp_and_udp' },
  'dns-min-ttl': { ...seconds, help: 'least time that an answer is kept; default 0' },
  'dns-max-ttl': { ...seconds, help: 'most time that an answer is kept; default 86400' },
  'dns-cache-size': { value: 'N', help: 'names whose answers are kept; default 32' },
  'log-level': { value: 'LEVEL', help: `${logLevels.join(', ')}; default info` },
  'log-output': { value: 'OUT', help: 'stdout, stderr or the path of a file, which grows; default stdout' },
  nofile: { short: 'n', value: 'N', help: 'limit of open files, set by prlimit(1)' },
  daemon: { short: 'd', help: 'run in the background; the log needs --log-output' },
  help: { short: 'h', help: 'print this' },
  version: { short: 'v', help: 'print the version' },
};

/** Realm's flags that are accepted without effect. */
export const idleFlagTable: Readonly<Record<string, Flag>> = {
  tfo: { short: 'f', help: '' },
  splice: { short: 'z', help: '' },
  'pipe-page': { short: 'p', value: 'N', help: '' },
};

/** Realm's flags that Node.js cannot implement; `help` is the reason. */
export const impossibleFlagTable: Readonly<Record<string, Flag>> = {
  mtcp: { short: 'm', help: 'Node.js has no MPTCP sockets' },
  interface: { short: 'i', value: 'DEV', help: 'Node.js cannot bind a socket to a device' },
  'listen-interface': { short: 'e', value: 'DEV', help: 'Node.js cannot bind a socket to a device' },
  'pre-conn-hook': { short: 'j', value: 'PATH', help: 'Node.js cannot load the hook library' },
};

/** What `--help` lists. */
export const shownFlagTable: Readonly<Record<string, Flag>> = { ...realmFlagTable, ...ownFlagTable };

/** Every known flag. */
export const flagTable: Readonly<Record<string, Flag>> = {
  ...shownFlagTable,
  ...idleFlagTable,
  ...impossibleFlagTable,
};

/** What `--help` prints. */
export function helpText(): string {
  const lines = Object.entries(shownFlagTable).map(([name, { short, value, help }]) => {
    const words = `${short === undefined ? '   ' : `-${short},`} --${name}${value === undefined ? '' : ` ${value}`}`;
    return `  ${words.padEnd(30)} ${help}`;
  });
  return [
    'Usage: realm-operator relay -c PATH',
    '       realm-operator relay --check -c PATH',
    '       realm-operator relay -l ADDR -r ADDR [-u] [-6]',
    '       realm-operator relay convert PATH [-t toml|json] [-o PATH]',
    '',
    'Relays TCP and UDP. Accepts the configuration and the command line of Realm.',
    '',
    ...lines,
    '',
  ].join('\n');
}

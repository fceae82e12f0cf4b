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
  check: { help: 'check the configuration and exit: prints every problem, exit code 0 or 1' },
  admin: {
    value: 'ADDR',
    help: `address of /livez, /readyz, /status and /metrics; default ${defaultAdmin}; "off" = none`,
  },
  'drain-seconds': {
    ...seconds,
    help: `time for open connections to end after SIGTERM; default ${String(defaultDrainSeconds)}`,
  },
  'drain-lag-seconds': {
    value: 'S',
    help: 'time to keep accepting after SIGTERM, while not ready; default 0',
  },
  engine: {
    value: 'NAME',
    help: 'what moves the bytes: kernel (system calls), node (modules of Node.js), or auto: kernel if it works here; default auto',
  },
  workers: {
    value: 'N',
    help: 'threads that serve TCP connections and carry UDP, 1 to 64; default 1',
  },
};

/** Flags that describe the one endpoint of `-l` and `-r`, each with its key of `[[endpoints]]`. */
export const endpointKeys: Readonly<Record<string, string>> = {
  listen: 'listen',
  remote: 'remote',
  through: 'through',
  interface: 'interface',
  'listen-interface': 'listen_interface',
  'listen-transport': 'listen_transport',
  'remote-transport': 'remote_transport',
};

/** Realm's flags that this relay implements. */
const realmFlagTable: Readonly<Record<string, Flag>> = {
  config: {
    short: 'c',
    value: 'PATH',
    help: 'configuration file or folder, TOML or JSON; watched, changes apply at once',
  },
  listen: { short: 'l', value: 'ADDR', help: 'listen address: IPV4:PORT, [IPV6]:PORT or HOST:PORT' },
  remote: { short: 'r', value: 'ADDR', help: 'remote address' },
  through: { short: 'x', value: 'ADDR', help: 'source address for dialling' },
  interface: { short: 'i', value: 'DEV', help: 'network interface that dials leave by' },
  'listen-interface': { short: 'e', value: 'DEV', help: 'network interface whose clients are accepted' },
  'listen-transport': { short: 'a', value: 'OPTS', help: 'TLS and WebSocket towards the client' },
  'remote-transport': { short: 'b', value: 'OPTS', help: 'TLS and WebSocket towards the remote' },
  udp: { short: 'u', help: 'also relay UDP' },
  ntcp: { short: 't', help: 'do not relay TCP' },
  mtcp: { short: 'm', help: 'dial and accept by Multipath TCP (send_mptcp, accept_mptcp)' },
  ipv6: { short: '6', help: 'IPv6 listen sockets accept IPv6 only (ipv6_only)' },
  'tcp-timeout': {
    ...seconds,
    help: 'connect timeout, including the name lookup; default 5, 0 = no limit',
  },
  'udp-timeout': { ...seconds, help: 'idle timeout of a UDP association; default 30, 0 = never' },
  'tcp-keepalive': { ...seconds, help: 'idle time before and between keepalive probes; default 15, 0 = off' },
  'tcp-keepalive-probe': {
    value: 'N',
    help: 'unanswered probes before a peer is considered dead; default 3',
  },
  'send-proxy': { value: 'BOOL', help: 'send a PROXY header to remotes' },
  'send-proxy-version': { value: 'N', help: 'version of the PROXY header, 1 or 2; default 2' },
  'accept-proxy': { value: 'BOOL', help: 'expect a PROXY header from clients' },
  'accept-proxy-timeout': { ...seconds, help: 'timeout for the PROXY header; default 5, 0 = no limit' },
  'dns-mode': {
    value: 'MODE',
    help: 'ipv4_only, ipv6_only, ipv4_and_ipv6, ipv4_then_ipv6 or ipv6_then_ipv4',
  },
  'dns-servers': { value: 'LIST', help: 'name servers, a comma-separated list of HOST:PORT' },
  'dns-protocol': { value: 'P', help: 'tcp, udp or tcp_and_udp' },
  'dns-min-ttl': { ...seconds, help: 'minimum time to cache an answer; default 0' },
  'dns-max-ttl': { ...seconds, help: 'maximum time to cache an answer; default 86400' },
  'dns-cache-size': { value: 'N', help: 'number of names to cache; default 32' },
  'log-level': { value: 'LEVEL', help: `${logLevels.join(', ')}; default info` },
  'log-output': { value: 'OUT', help: 'stdout, stderr or a file to append to; default stdout' },
  nofile: { short: 'n', value: 'N', help: 'open file limit' },
  daemon: { short: 'd', help: 'run in the background; set --log-output to keep the log' },
  help: { short: 'h', help: 'print this help' },
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

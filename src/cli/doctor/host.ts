import { lookup } from 'node:dns/promises';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { asError, errorCode } from '../../lib/errors.ts';
import { openFilesLimit } from '../../lib/open-files.ts';
import { version } from '../../lib/version.ts';
import { chooseEngine } from '../../relay/net/engine.ts';
import { createLogger } from '../../telemetry/logger.ts';
import { ok, problem, warning, type Check } from './check.ts';

/** Below this many open files a relay serves few clients: each connection takes two. */
const fewOpenFiles = 4096;
/** The default of Linux since 5.4; before, 128. */
const smallBacklog = 1024;
/** A full table drops new connections; near it, there is no room for a peak. */
const fullShare = 0.9;

/** Checks of this machine, whatever it is to relay. */
export async function hostChecks(): Promise<Check[]> {
  const all = await Promise.all([families(), engine(), backlog(), connectionTracking(), nameServers()]);
  return [
    ok('version', `realm-operator ${version}, Node.js ${process.versions.node}`),
    ...openFiles(),
    ...all.flat(),
  ];
}

async function families(): Promise<Check[]> {
  const found = await Promise.all([canListen('127.0.0.1'), canListen('::1')]);
  return (['IPv4', 'IPv6'] as const).map((family, index) => {
    const code = found[index];
    if (code === undefined) return ok(family, 'sockets can listen');
    const remedy =
      family === 'IPv6'
        ? 'enable it by sysctl -w net.ipv6.conf.all.disable_ipv6=0, or listen on 0.0.0.0 in place of ::'
        : 'add 127.0.0.1 to the interface lo: ip address add 127.0.0.1/8 dev lo';
    return warning(family, `no socket can listen (${code})`, remedy);
  });
}

/** The error of listening on a free port of `host`; undefined if that works. */
function canListen(host: string): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  const server = createServer();
  server.on('error', (error) => {
    resolve(errorCode(error));
  });
  server.listen(0, host, () => {
    server.close(() => {
      resolve(undefined);
    });
  });
  return promise;
}

async function engine(): Promise<Check[]> {
  let reason = '';
  const log = createLogger('warn', { write: (line: string) => (reason = problemIn(line)) });
  const { name } = await chooseEngine('auto', log);
  if (name === 'kernel') return [ok('engine', 'kernel: system calls work')];
  const remedy = 'use Linux with Node.js 26, and let its process make the calls; node relays, too';
  return [warning('engine', `node, since the kernel's does not work here (${reason})`, remedy)];
}

function problemIn(line: string): string {
  return String((JSON.parse(line) as { problem?: unknown }).problem);
}

function openFiles(): Check[] {
  const limit = openFilesLimit();
  if (limit >= fewOpenFiles) return [ok('open files', `the limit is ${String(limit)}`)];
  const what = `the limit is ${String(limit)}, and a connection takes two`;
  return [warning('open files', what, 'raise it by ulimit -n 65536, or LimitNOFILE= of the systemd unit')];
}

async function backlog(): Promise<Check[]> {
  const name = 'net.core.somaxconn';
  const value = await setting(name);
  if (value === undefined) return [];
  if (value >= smallBacklog) return [ok(name, String(value))];
  const what = `${String(value)}, so that a burst of clients is dropped`;
  return [warning(name, what, `sysctl -w ${name}=4096`)];
}

async function connectionTracking(): Promise<Check[]> {
  const [name, max] = ['net.netfilter.nf_conntrack_count', 'net.netfilter.nf_conntrack_max'];
  const [count, limit] = await Promise.all([setting(name), setting(max)]);
  if (count === undefined || limit === undefined) return [];
  const what = `${String(count)} of ${String(limit)} connections are tracked`;
  if (count < fullShare * limit) return [ok(name, what)];
  return [problem(name, what, `raise it by sysctl -w ${max}=${String(2 * limit)}`)];
}

/** A setting of the kernel; undefined if there is none. */
async function setting(name: string): Promise<number | undefined> {
  const text = await readFile(`/proc/sys/${name.replaceAll('.', '/')}`, 'utf8').catch(() => undefined);
  return text === undefined ? undefined : Number(text.trim());
}

async function nameServers(): Promise<Check[]> {
  const text = await readFile('/etc/resolv.conf', 'utf8').catch(() => '');
  const lines = text.split('\n').map((line) => line.trim().split(/\s+/));
  const servers = lines.flatMap(([word, server]) => (word === 'nameserver' ? [server] : []));
  if (servers.length > 0) return [ok('DNS', `name servers of /etc/resolv.conf: ${servers.join(', ')}`)];
  return [
    warning(
      'DNS',
      '/etc/resolv.conf names no server',
      'add nameserver ADDRESS, unless remotes are addresses',
    ),
  ];
}

/** Whether `host`, the name of a remote, has addresses. */
export async function nameCheck(host: string): Promise<Check> {
  const subject = `DNS ${host}`;
  try {
    const addresses = await lookup(host, { all: true });
    return ok(subject, addresses.map(({ address }) => address).join(', '));
  } catch (error) {
    const what = `has no address (${errorCode(error) || asError(error).message})`;
    return problem(subject, what, 'correct the name of the remote, or the name servers');
  }
}

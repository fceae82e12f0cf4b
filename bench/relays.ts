import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, renameSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** A route of a relay, from one port of 127.0.0.1 to another. */
export type Route = { readonly listen: number; readonly remote: number; readonly protocol: 'tcp' | 'udp' };

/** A relay program to measure. */
export type RelayProgram = {
  readonly name: string;
  /** Whether it forwards UDP. */
  readonly udp: boolean;
  /** The command that runs it in the foreground; it may write its configuration into `folder`. */
  readonly command: (routes: readonly Route[], folder: string, workers: number) => readonly string[];
  /** Whether it can have several workers; absent = no. */
  readonly hasWorkers?: true;
  /** File descriptors per TCP connection; absent = one for each side. */
  readonly descriptors?: number;
  /** How it reloads a changed configuration: it follows the file, or needs a signal; undefined = only by a restart. */
  readonly reload?: 'file' | 'SIGHUP';
};

/** A running relay program. */
export type RunningRelay = {
  /** Its processes: the first, and those that it started. */
  readonly pids: () => readonly number[];
  /** Serves these routes from now on; resolves when `route`, one of them, accepts. */
  readonly reload: (routes: readonly Route[], route: Route) => Promise<void>;
  readonly stop: () => Promise<void>;
};

/** The name of our relay, which the others are compared with. */
export const ownName = 'realm-operator';

const root = join(import.meta.dirname, '..');
const nginxModule = '/usr/lib/nginx/modules/ngx_stream_module.so';

/** A configuration of Realm, which our relay reads, too. */
function realmDocument(routes: readonly Route[]): string {
  const endpoints = routes.map(({ listen, remote, protocol }) => ({
    listen: `127.0.0.1:${String(listen)}`,
    remote: `127.0.0.1:${String(remote)}`,
    network: { no_tcp: protocol === 'udp', use_udp: protocol === 'udp' },
  }));
  return JSON.stringify({ log: { level: 'off' }, endpoints });
}

const ours: RelayProgram = {
  name: ownName,
  udp: true,
  reload: 'file',
  hasWorkers: true,
  command: (routes, folder, workers) => {
    const file = written(folder, 'config.json', realmDocument(routes));
    const flags = ['--admin', 'off', '--workers', String(workers)];
    return [process.execPath, join(root, 'dist', 'realm.js'), '-c', file, ...flags];
  },
};

/** The same by the public modules of Node.js alone, which serves with one thread. */
const withEngineNode: RelayProgram = {
  name: `${ownName}, engine node`,
  udp: true,
  reload: 'file',
  command: (...of) => [...ours.command(...of), '--engine', 'node'],
};

const nginx: RelayProgram = {
  name: 'nginx',
  udp: true,
  reload: 'SIGHUP',
  hasWorkers: true,
  command: (routes, folder, workers) => {
    const servers = routes.map(
      ({ listen, remote, protocol }) =>
        `server { listen 127.0.0.1:${String(listen)}${protocol === 'udp' ? ' udp' : ' backlog=1024'}; proxy_buffer_size 64k; proxy_pass 127.0.0.1:${String(remote)}; }`,
    );
    const lines = [
      ...(existsSync(nginxModule) ? [`load_module ${nginxModule};`] : []),
      `daemon off; worker_processes ${String(workers)}; pid ${folder}/nginx.pid; error_log ${folder}/error.log crit;`,
      'events { worker_connections 20000; }',
      `stream { access_log off; ${servers.join('\n')} }`,
    ];
    return ['nginx', '-p', folder, '-c', written(folder, 'nginx.conf', lines.join('\n'))];
  },
};

const haproxy: RelayProgram = {
  name: 'haproxy',
  udp: false,
  command: (routes, folder) => {
    const listens = routes.map(
      ({ listen, remote }) =>
        `listen l${String(listen)}\n  bind 127.0.0.1:${String(listen)}\n  server s 127.0.0.1:${String(remote)}`,
    );
    const head =
      'global\n  nbthread 1\n  maxconn 9000\ndefaults\n  mode tcp\n  timeout connect 5s\n  timeout client 60s\n  timeout server 60s\n';
    return ['haproxy', '-db', '-f', written(folder, 'haproxy.cfg', `${head}${listens.join('\n')}\n`)];
  },
};

const socat: RelayProgram = {
  name: 'socat',
  udp: false,
  command: ([route]) => [
    'socat',
    '-b65536',
    `TCP-LISTEN:${String(route?.listen)},bind=127.0.0.1,fork,reuseaddr,backlog=1024`,
    `TCP:127.0.0.1:${String(route?.remote)}`,
  ],
};

const realm: RelayProgram = {
  name: 'realm',
  udp: true,
  descriptors: 6, // including two pipes, since it moves bytes by splice(2)
  command: (routes, folder) => {
    return [process.env['REALM'] ?? '', '-c', written(folder, 'realm.json', realmDocument(routes))];
  },
};

function written(folder: string, name: string, text: string): string {
  const file = join(folder, name);
  writeFileSync(`${file}.new`, text);
  renameSync(`${file}.new`, file); // a program that follows the file never reads half of it
  return file;
}

/**
 * Our relay with both engines, and the peers on this machine: nginx, haproxy and socat of the distribution, and Realm if `REALM` names its
 * binary.
 */
export function relayPrograms(): RelayProgram[] {
  const installed = [nginx, haproxy, socat].filter(
    ({ name }) => spawnSync('sh', ['-c', `command -v ${name}`]).status === 0,
  );
  return [ours, withEngineNode, ...installed, ...(process.env['REALM'] === undefined ? [] : [realm])];
}

/** How many workers a program gets, and on which processors, as taskset(1) lists them. */
export type Workers = { readonly count: number; readonly processors: string };

/**
 * Starts `program` and waits until it accepts.
 *
 * @throws Error if it exits before.
 */
export async function startRelay(
  program: RelayProgram,
  routes: readonly Route[],
  folder: string,
  workers: Workers = { count: 1, processors: '0' },
): Promise<RunningRelay> {
  const command = ['-c', workers.processors, ...program.command(routes, folder, workers.count)];
  const child = spawn('taskset', command, { stdio: ['ignore', 'ignore', 'inherit'] });
  for (const { listen, protocol } of routes) if (protocol === 'tcp') await accepts(listen, child);
  if (routes.some(({ protocol }) => protocol === 'udp')) await delay(500); // there is no sign that a UDP port is bound
  return {
    pids: () => processTree(child.pid ?? 0),
    reload: async (changed, { listen }) => {
      program.command(changed, folder, workers.count);
      if (program.reload === 'SIGHUP') child.kill('SIGHUP');
      await accepts(listen, child);
    },
    stop: async () => {
      const ended = once(child, 'exit');
      const pids = processTree(child.pid ?? 0); // before the first has ended, because init adopts its children then
      for (const pid of pids) process.kill(pid, 'SIGKILL');
      await ended;
    },
  };
}

async function accepts(port: number, child: ChildProcess): Promise<void> {
  while (child.exitCode === null) {
    const socket = connect(port, '127.0.0.1');
    const isConnected = await once(socket, 'connect').then(
      () => true,
      () => false,
    );
    socket.destroy();
    if (isConnected) return;
    await delay(2);
  }
  throw new Error(`${child.spawnargs.join(' ')}: ended with ${String(child.exitCode)}`);
}

function processTree(pid: number): number[] {
  const { stdout } = spawnSync('pgrep', ['-P', String(pid)], { encoding: 'utf8' });
  return [
    pid,
    ...stdout
      .split('\n')
      .filter(Boolean)
      .flatMap((child) => processTree(Number(child))),
  ];
}

import { chownSync, globSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Command } from '../../cluster/binaries.ts';
import { runOrThrow } from '../../cluster/run.ts';
import { eventually } from '../../support/eventually.ts';
import type { Servers } from './servers.ts';

const primary = '192.0.2.10';
const standby = '192.0.2.11';

/** PostgreSQL refuses to run as root. */
function asPostgres(program: string, ...args: readonly string[]): Command {
  const programs = dirname(globSync('/usr/lib/postgresql/*/bin/initdb').at(-1) ?? '');
  return [
    'setpriv',
    '--reuid=postgres',
    '--regid=postgres',
    '--clear-groups',
    join(programs, program),
    ...args,
  ];
}

/** A primary, and a standby that follows it. */
export async function startPostgres(servers: Servers): Promise<void> {
  await servers.own(`${primary}/32`, `${standby}/32`);
  const [uid, gid] = (await runOrThrow(['sh', '-c', 'id -u postgres; id -g postgres']))
    .split('\n')
    .map(Number);
  for (const name of ['primary', 'standby']) {
    mkdirSync(join(servers.folder, name), { mode: 0o700 });
    chownSync(join(servers.folder, name), uid ?? 0, gid ?? 0);
  }
  const data = join(servers.folder, 'primary');
  await runOrThrow(asPostgres('initdb', '--auth=trust', '--no-sync', '--username=postgres', '-D', data));
  const allow = ['all', 'replication'].map((database) => `host ${database} all 0.0.0.0/0 trust`).join('\n');
  await runOrThrow(['sh', '-c', `cat >>${join(data, 'pg_hba.conf')}`], { stdin: `${allow}\n` });
  start(servers, 'primary', primary);
  await expectReady(primary);
  const copy = ['-h', primary, '-U', 'postgres', '-D', join(servers.folder, 'standby')];
  await runOrThrow(
    asPostgres('pg_basebackup', ...copy, '--write-recovery-conf', '--checkpoint=fast', '--no-sync'),
  );
  start(servers, 'standby', standby);
  await expectReady(standby);
}

function start(servers: Servers, name: string, address: string): void {
  const data = join(servers.folder, name);
  const settings = [`listen_addresses=${address}`, 'unix_socket_directories=', 'fsync=off'];
  servers.start(name, asPostgres('postgres', '-D', data, ...settings.flatMap((setting) => ['-c', setting])));
}

async function expectReady(address: string): Promise<void> {
  const ask = asPostgres('pg_isready', '-q', '-h', address);
  await eventually(`PostgreSQL at ${address}`, async () => (await runOrThrow(ask)) === '');
}

/** Ends the primary, and promotes the standby. */
export async function failOver(servers: Servers): Promise<void> {
  await servers.end('primary');
  await runOrThrow(asPostgres('pg_ctl', 'promote', '-D', join(servers.folder, 'standby')));
}

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { runOrThrow } from '../../cluster/run.ts';
import { eventually } from '../../support/eventually.ts';
import type { Servers } from './servers.ts';

const address = '192.0.2.25';

/** Postfix as docs/how-to/smtp.md configures it. It accepts mail for example.org and delivers nothing. */
export async function startPostfix(servers: Servers): Promise<void> {
  await servers.own(`${address}/32`);
  const [config, queue, data] = ['config', 'queue', 'data'].map((name) => join(servers.folder, name));
  for (const folder of [config, queue, data]) mkdirSync(folder ?? '');
  await runOrThrow(['chown', 'postfix', data ?? '']);
  const main = [
    'compatibility_level = 3.6',
    `queue_directory = ${queue ?? ''}`,
    `data_directory = ${data ?? ''}`,
    'maillog_file = /dev/stdout',
    `inet_interfaces = ${address}`,
    'myhostname = mail.example.org',
    'mydestination = example.org',
    'alias_maps =',
    'local_recipient_maps =',
    'smtpd_upstream_proxy_protocol = haproxy',
  ];
  const services = [
    'cleanup unix n - n - 0',
    'qmgr unix n - n 300 1',
    'rewrite unix - - n - -',
    'anvil unix - - n - 1',
  ];
  const programs = ['cleanup', 'qmgr', 'trivial-rewrite', 'anvil'];
  const master = [
    'smtp inet n - n - - smtpd',
    'postlog unix-dgram n - n - 1 postlogd',
    ...services.map((service, index) => `${service} ${programs[index] ?? ''}`),
  ];
  servers.write('config/main.cf', `${main.join('\n')}\n`);
  servers.write('config/master.cf', `${master.join('\n')}\n`);
  servers.start('postfix', ['postfix', '-c', config ?? '', 'start-fg']);
  servers.atEnd(['postfix', '-c', config ?? '', 'stop']);
  await eventually('Postfix started', () => servers.output('postfix').includes('daemon started'));
}

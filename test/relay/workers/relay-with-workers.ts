import { renameSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { expect } from 'chai';
import type { RealmEndpoint } from '../../../src/config/realm-document.ts';
import type { EndpointStatus, RelayStatus } from '../../../src/relay/admin/status.ts';
import { eventually } from '../../support/eventually.ts';
import { Loopback } from '../loopback.ts';
import { RelayProcess, replaceConfig } from '../relay-process.ts';
import type { Fault } from './faults.ts';

/** The sockets of the test that runs. */
export const loopback = new Loopback();
let path: string;

/** Before each test: a folder for the configuration, which goes when `loopback` closes all. */
export function makeFolder(): void {
  path = join(loopback.folder(), 'config.json');
}

/** Writes the file that the relay follows. */
export function write(endpoints: readonly RealmEndpoint[]): void {
  replaceConfig(path, { endpoints });
}

/** A relay with workers, 2 unless `argv` has another number, that runs `endpoints`; its workers can be made to fail. */
export async function start(
  endpoints: readonly RealmEndpoint[],
  argv: readonly string[] = [],
  wrapper: readonly string[] = [],
): Promise<RelayProcess> {
  write(endpoints);
  const workers = argv.includes('--workers') ? [] : ['--workers', '2'];
  const faults = `--import=${join(import.meta.dirname, 'faults.ts')}`;
  const relay = new RelayProcess(['-c', path, '--admin', '127.0.0.1:0', ...workers, ...argv], wrapper, {
    NODE_OPTIONS: `${faults} --max-old-space-size=160`, // which the threads share, so a worker has 64 MiB
    WORKER_FAULT: faultPath(),
  });
  loopback.onClose(() => relay.end());
  await relay.logged('relay started');
  return relay;
}

/** The file that makes a worker fail, which removes it. */
export function faultPath(): string {
  return `${path}.fault`;
}

/** Makes the worker `thread` fail. */
export function fail(thread: number, fault: Fault): void {
  writeFileSync(`${faultPath()}.new`, `${String(thread)} ${fault}`);
  renameSync(`${faultPath()}.new`, faultPath());
}

/** The status of its one endpoint. */
export async function web(relay: RelayProcess): Promise<EndpointStatus> {
  const found = (await relay.status()).endpoints.find(({ name }) => name === 'web');
  if (found === undefined) throw new Error('no endpoint web');
  return found;
}

/** The threads that serve, as the status reports them. */
export async function workersOf(relay: RelayProcess): Promise<NonNullable<RelayStatus['workers']>> {
  const { workers } = await relay.status();
  if (workers === undefined) throw new Error('no workers in the status');
  return workers;
}

/** A client that is served. */
export async function served(listen: string): Promise<Socket> {
  const client = await loopback.client(listen);
  expect(await loopback.exchange(client, 'x')).to.equal('x');
  return client;
}

/** Served clients, as many as it takes until every thread has some. */
export async function servedByAll(relay: RelayProcess): Promise<Socket[]> {
  const { listen } = await web(relay);
  const clients: Socket[] = [];
  await eventually('clients in every thread', async () => {
    for (let i = 0; i < 10; i += 1) clients.push(await served(listen));
    return (await workersOf(relay)).running.every(({ load }) => load > 0);
  });
  return clients;
}

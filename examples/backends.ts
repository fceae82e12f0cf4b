import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';

// The remotes of the examples: `node examples/backends.ts COMMAND…` serves them while COMMAND runs, and exits with its exit
// code.

const backends = [
  { host: '::1', port: 18086, answer: 'Hello from the IPv6 backend.\n' },
  { host: '127.0.0.1', port: 18084, answer: 'Hello from the IPv4 backend.\n' },
  ...Array.from({ length: 10 }, (_, index) => 18_100 + index).map((port) => ({
    host: '127.0.0.1',
    port,
    answer: `Hello from port ${String(port)}.\n`,
  })),
];

const [command, ...args] = process.argv.slice(2);
if (command === undefined) throw new Error('usage: node examples/backends.ts COMMAND…');

const servers = backends.map(({ host, port, answer }) =>
  createServer((_request, response) => {
    response.end(answer);
  }).listen({ host, port }),
);
await Promise.all(servers.map((server) => once(server, 'listening')));

// Ctrl-C also reaches the command, which then ends on its own; a signal to this process alone is forwarded.
const child = spawn(command, args, { stdio: 'inherit' });
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => child.kill('SIGTERM'));
const [code] = (await once(child, 'exit')) as [number | null];
for (const server of servers) {
  server.close();
  server.closeAllConnections();
}
process.exitCode = code ?? 1;

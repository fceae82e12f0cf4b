import { Daemon } from './daemon.ts';

// A process that owns a Daemon, for the test to kill: argv is a log file.
const [, , logFile = ''] = process.argv;
const daemon = new Daemon('sleep', ['sleep', '600'], logFile);
process.stdout.write(`${String(daemon.pid)}\n`);
setInterval(() => undefined, 60_000);

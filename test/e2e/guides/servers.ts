import { chmodSync, mkdtempSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from '../../cluster/binaries.ts';
import { Daemon } from '../../cluster/daemon.ts';
import { runOrThrow } from '../../cluster/run.ts';

/** The servers behind the relays of a page, in the network of this process, with a folder for their files. */
export class Servers {
  /** Everybody may read it, because some servers run as users of their own. */
  readonly folder = mkdtempSync(join(tmpdir(), 'realm-operator-scene-'));
  readonly #daemons = new Map<string, Daemon>();
  readonly #lastCommands: Command[] = [];

  constructor() {
    chmodSync(this.folder, 0o755);
  }

  /** Gives these addresses to this machine; Pods reach them through their node. */
  async own(...addresses: readonly string[]): Promise<void> {
    for (const address of addresses) await runOrThrow(['ip', 'address', 'replace', address, 'dev', 'lo']);
  }

  /** Starts a server. */
  start(name: string, command: Command): void {
    this.#daemons.set(name, new Daemon(name, command, join(this.folder, `${name}.log`)));
  }

  /** The process id of a server. */
  pid(name: string): number {
    return this.#daemons.get(name)?.pid ?? -1;
  }

  /** Runs a command before the servers are stopped, for one that leaves the process that started it. */
  atEnd(command: Command): void {
    this.#lastCommands.push(command);
  }

  /** Stops one of them. */
  async end(name: string): Promise<void> {
    await this.#daemons.get(name)?.stop();
  }

  /** The last lines of what a server printed. */
  output(name: string): string {
    return this.#daemons.get(name)?.lastOutput() ?? '';
  }

  /** Writes a file, and returns its path. */
  write(name: string, text: string, mode = 0o644): string {
    const file = join(this.folder, name);
    writeFileSync(file, text, { mode });
    return file;
  }

  /** Stops all of them, and removes the folder. */
  async stop(): Promise<void> {
    for (const command of this.#lastCommands) await runOrThrow(command);
    for (const daemon of this.#daemons.values()) await daemon.stop();
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** A web server at each of `addresses`, port 8080, that answers with its address. */
export function startWebServers(servers: Servers, addresses: readonly string[]): void {
  const script = `
    for (const address of process.argv.slice(1))
      require('node:http')
        .createServer((request, response) => response.end('Hello from ' + address + '.\\n'))
        .listen(8080, address);
  `;
  servers.start('web', [process.execPath, '-e', script, ...addresses]);
}

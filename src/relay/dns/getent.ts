import { execFile } from 'node:child_process';
import { addressFamily } from '../../lib/ip-address.ts';
import type { Answer } from './answer-cache.ts';
import { noAnswer, notFound } from './name-error.ts';

/** Processes at once; at one more, the oldest ends, which has waited longest in vain. */
const maxProcesses = 32;

/** For how long an answer is valid, because the system does not state it. */
const ttlMs = 1000;

const maxOutputBytes = 64 * 1024;

/** Exit code of getent(1): the name was not found. */
const keyNotFound = 2;

/**
 * The system's own lookup, in a process for each name: in this process it would occupy the threads that files are read
 * with for as long as a name server is silent, and could not be ended.
 */
export class Getent {
  readonly #command: string;
  readonly #running = new Set<AbortController>();

  /** @param command  getent(1), found by PATH. */
  constructor(command: string) {
    this.#command = command;
  }

  /**
   * @param signal  ends the process.
   * @throws NameError, also if the system has no getent(1): its C library then has no such services.
   */
  async addresses(host: string, signal: AbortSignal): Promise<Answer> {
    if (this.#running.size >= maxProcesses)
      for (const oldest of [...this.#running].slice(0, 1)) oldest.abort();
    const process = new AbortController();
    this.#running.add(process);
    try {
      return await this.#run(host, AbortSignal.any([signal, process.signal]));
    } finally {
      this.#running.delete(process);
    }
  }

  #run(host: string, signal: AbortSignal): Promise<Answer> {
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const options = { signal, killSignal: 'SIGKILL', maxBuffer: maxOutputBytes } as const;
    execFile(this.#command, ['ahosts', '--', host], options, (error, stdout) => {
      const addresses = new Set(stdout.split('\n').map((line) => line.split(/\s+/, 1)[0] ?? ''));
      const found = [...addresses].filter((address) => addressFamily(address) !== undefined);
      if (error === null && found.length > 0) resolve({ addresses: found, ttlMs });
      else if (error === null || error.code === keyNotFound || error.code === 'ENOENT')
        reject(notFound(host, undefined));
      else reject(noAnswer(host, `getent: ${error.message}`));
    });
    return promise;
  }
}

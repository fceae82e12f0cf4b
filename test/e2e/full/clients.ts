import { setTimeout as delay } from 'node:timers/promises';
import { echoLine, greet } from '../client.ts';

/** A client sends a line each tenth of a second, then opens the next connection. A relay that drains lets it finish. */
const lines = 10;
const betweenMs = 100;

/** Clients that connect again and again, and count their lost connections. */
export class Clients {
  /** Connections that succeeded, from the greeting to the last echo. */
  served = 0;
  /** The longest time that one waited from its connection attempt to the backend's greeting, in milliseconds. */
  longestWaitMs = 0;
  /** The errors of the others. */
  readonly lost: string[] = [];
  readonly #over = new AbortController();
  readonly #loops: readonly Promise<void>[];

  /** Starts `count` of them, half to each of `hosts`, where a backend greets and echoes. */
  constructor(hosts: readonly string[], port: number, count = 10) {
    this.#loops = Array.from({ length: count }, (_, index) =>
      this.#loop(hosts[index % hosts.length] ?? '', port),
    );
  }

  /** Lets the open connections finish; resolves when all have. */
  async stop(): Promise<void> {
    this.#over.abort();
    await Promise.all(this.#loops);
  }

  async #loop(host: string, port: number): Promise<void> {
    while (!this.#over.signal.aborted) {
      try {
        await this.#talk(host, port);
        this.served += 1;
      } catch (error) {
        this.lost.push(`${host}: ${String(error)}`);
        await delay(betweenMs); // otherwise a refused client would retry at once
      }
    }
  }

  async #talk(host: string, port: number): Promise<void> {
    const startMs = performance.now();
    const { socket } = await greet(host, port);
    this.longestWaitMs = Math.max(this.longestWaitMs, performance.now() - startMs);
    try {
      for (let line = 0; line < lines; line += 1) {
        const text = `line ${String(line)}`;
        const echo = await echoLine(socket, text);
        if (echo !== text) throw new Error(`${JSON.stringify(text)} came back as ${JSON.stringify(echo)}`);
        await delay(betweenMs);
      }
    } finally {
      socket.destroy();
    }
  }
}

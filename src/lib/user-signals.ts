import type { EventEmitter } from 'node:events';

/**
 * Makes SIGUSR1 and SIGUSR2 have no effect. By default the first opens Node's inspector on port 9229, where every user of the
 * machine could run code in this process, and the second ends the program. Call it first of all.
 */
export function ignoreUserSignals(signals: EventEmitter): void {
  for (const signal of ['SIGUSR1', 'SIGUSR2']) signals.on(signal, () => undefined);
}

import type { EventEmitter } from 'node:events';

/**
 * Keeps SIGUSR1 from opening Node's inspector on port 9229, where every user of the machine could run code in this
 * process: the signal has no effect. Call it first of all.
 */
export function disableInspectorSignal(signals: EventEmitter): void {
  signals.on('SIGUSR1', () => undefined);
}

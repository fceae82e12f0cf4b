/** The signals that ask this program to stop. */
export type StopSignals = {
  /** The first one: stop in good order. */
  readonly first: Promise<NodeJS.Signals>;
  /** The second one: stop now. */
  readonly second: Promise<NodeJS.Signals>;
  /** Stops listening, so that the signals do again what they do by default. */
  readonly release: () => void;
};

/** Emits signals as `process` does. */
export type SignalSource = {
  on: (signal: NodeJS.Signals, listener: (signal: NodeJS.Signals) => void) => unknown;
  off: (signal: NodeJS.Signals, listener: (signal: NodeJS.Signals) => void) => unknown;
};

const stopping = ['SIGTERM', 'SIGINT'] as const;

/** Waits for SIGTERM and SIGINT; as PID 1 of a container, too, where without this they would do nothing. */
export function stopSignals(source: SignalSource): StopSignals {
  const first = Promise.withResolvers<NodeJS.Signals>();
  const second = Promise.withResolvers<NodeJS.Signals>();
  let count = 0;
  const onSignal = (signal: NodeJS.Signals): void => {
    count += 1;
    (count === 1 ? first : second).resolve(signal);
  };
  for (const signal of stopping) source.on(signal, onSignal);
  const release = (): void => {
    for (const signal of stopping) source.off(signal, onSignal);
  };
  return { first: first.promise, second: second.promise, release };
}

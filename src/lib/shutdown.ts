/** SIGTERM and SIGINT, as requests to stop. */
export type StopSignals = {
  /** The first signal: stop gracefully. */
  readonly first: Promise<NodeJS.Signals>;
  /** The second signal: stop at once. */
  readonly second: Promise<NodeJS.Signals>;
};

/** Emits signals as `process` does. */
export type SignalSource = {
  on: (signal: NodeJS.Signals, listener: (signal: NodeJS.Signals) => void) => unknown;
};

const stopping = ['SIGTERM', 'SIGINT'] as const;

/** Listens for SIGTERM and SIGINT until the process ends. PID 1 of a container would otherwise ignore them. */
export function stopSignals(source: SignalSource): StopSignals {
  const first = Promise.withResolvers<NodeJS.Signals>();
  const second = Promise.withResolvers<NodeJS.Signals>();
  let count = 0;
  const onSignal = (signal: NodeJS.Signals): void => {
    count += 1;
    (count === 1 ? first : second).resolve(signal);
  };
  for (const signal of stopping) source.on(signal, onSignal);
  return { first: first.promise, second: second.promise };
}

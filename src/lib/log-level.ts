/** Every log level, from nothing to everything; the words of Realm and of the `logLevel` field. */
export const logLevels = ['off', 'error', 'warn', 'info', 'debug', 'trace'] as const;

export type LogLevel = (typeof logLevels)[number];

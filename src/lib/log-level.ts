/** Every log level, from nothing to everything, as Realm and the field `logLevel` spell them. */
export const logLevels = ['off', 'error', 'warn', 'info', 'debug', 'trace'] as const;

export type LogLevel = (typeof logLevels)[number];

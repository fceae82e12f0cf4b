import { wholeNumber } from '../lib/document-rules.ts';
import { milliseconds, setting, type Settings } from './key-table.ts';
import { maxSeconds } from './network-keys.ts';

const maxThreshold = 100;

/** The keys of an endpoint's `health_check`, a table of our own: how its remotes are checked. */
export const healthCheckKeys = {
  /** Seconds between two checks; default 10. */
  interval: setting('intervalMs', wholeNumber(1, maxSeconds), 10, milliseconds),
  /** Time limit of a connect in seconds, name lookup included; default 2. */
  timeout: setting('timeoutMs', wholeNumber(1, maxSeconds), 2, milliseconds),
  /** Failures in a row after which a remote is tried last; default 3. */
  unhealthy_threshold: setting('unhealthyThreshold', wholeNumber(1, maxThreshold), 3),
  /** Successes in a row after which it returns to its place; default 1. */
  healthy_threshold: setting('healthyThreshold', wholeNumber(1, maxThreshold), 1),
};

/** Checks of remotes by a TCP connect: a field for each key of `healthCheckKeys`, times in milliseconds. */
export type HealthCheckConfig = Settings<typeof healthCheckKeys>;

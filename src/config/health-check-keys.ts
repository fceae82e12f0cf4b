import { wholeNumber } from '../lib/document-rules.ts';
import { milliseconds, setting, type Settings } from './key-table.ts';
import { mostSeconds } from './network-keys.ts';

const mostThreshold = 100;

/** The keys of an endpoint's `health_check`, which is our own: how its remotes are checked. */
export const healthCheckKeys = {
  /** Seconds between two checks; default 10. */
  interval: setting('intervalMs', wholeNumber(1, mostSeconds), 10, milliseconds),
  /** Seconds that a connect may take, name lookup included; default 2. */
  timeout: setting('timeoutMs', wholeNumber(1, mostSeconds), 2, milliseconds),
  /** Failures in a row after which a remote is tried last; default 3. */
  unhealthy_threshold: setting('unhealthyThreshold', wholeNumber(1, mostThreshold), 3),
  /** Successes in a row after which it has its place back; default 1. */
  healthy_threshold: setting('healthyThreshold', wholeNumber(1, mostThreshold), 1),
};

/** Checks of remotes by a TCP connect: a field for each key of `healthCheckKeys`, times in milliseconds. */
export type HealthCheckConfig = Settings<typeof healthCheckKeys>;

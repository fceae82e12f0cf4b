import { fields, text, wholeNumber, type Rule } from '../lib/document-rules.ts';
import { payloadBytes, payloadRemedy } from '../lib/payload.ts';
import { milliseconds, setting, settingsOf, type Settings, type Written } from './key-table.ts';
import { maxSeconds } from './network-keys.ts';

const maxThreshold = 100;

/** The keys of an endpoint's `health_check`, a table of our own: how its remotes are checked. */
export const healthCheckKeys = {
  /** Seconds between two checks; default 10. */
  interval: setting('intervalMs', wholeNumber(1, maxSeconds), 10, milliseconds),
  /** Time limit of a check in seconds, name lookup included; default 2. */
  timeout: setting('timeoutMs', wholeNumber(1, maxSeconds), 2, milliseconds),
  /** Failures in a row after which a remote is tried last; default 3. */
  unhealthy_threshold: setting('unhealthyThreshold', wholeNumber(1, maxThreshold), 3),
  /** Successes in a row after which it returns to its place; default 1. */
  healthy_threshold: setting('healthyThreshold', wholeNumber(1, maxThreshold), 1),
};

const payload: Rule<string> = (value, path, findings) => {
  const written = text(value, path, findings);
  if (written === undefined || payloadBytes(written) !== undefined) return written;
  const what = 'is not the text of a datagram';
  findings.problems.push({ path, what, value: written, remedy: payloadRemedy });
  return undefined;
};

/** Reads `udp` of `health_check`: what a check by UDP sends, and what the answer must contain, any answer by default. */
export const udpCheck = fields({ send: payload, expect: payload }, ['send']);

/** Checks by a datagram; both texts are as `payloadBytes` reads them. */
export type UdpCheckConfig = {
  readonly send: string;
  /** Absent = any answer will do. */
  readonly expect?: string;
};

/**
 * How remotes are checked: a field for each key of `healthCheckKeys`, times in milliseconds. By a TCP connect, whose
 * outcome counts for UDP, too, unless `udp` is present.
 */
export type HealthCheckConfig = Settings<typeof healthCheckKeys> & { readonly udp?: UdpCheckConfig };

/** What `health_check` may hold once it is read. */
type ReadHealthCheck = Written<typeof healthCheckKeys> & { readonly udp?: ReturnType<typeof udpCheck> };

/** The settings of `check`, with defaults applied. */
export function healthCheckConfig(check: ReadHealthCheck): HealthCheckConfig {
  const { send, expect } = check.udp ?? {};
  const udp = send === undefined ? undefined : { send, ...(expect !== undefined && { expect }) };
  return { ...settingsOf(healthCheckKeys, check), ...(udp && { udp }) };
}

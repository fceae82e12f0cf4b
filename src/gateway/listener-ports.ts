import { type Problem } from '../lib/problem.ts';
import { portsText } from '../lib/port-range.ts';
import { sameJson } from '../lib/same-json.ts';
import type { PolicySettings } from './policy-rules.ts';
import type { Listener } from './types.ts';

/** The settings of the listener of this name, that of its Gateway included. */
export type SettingsOf = (listener: string) => PolicySettings;

/** The first port of `listener`, and the last. */
export function portRange(
  { port }: Listener,
  { endPort = port }: PolicySettings,
): { first: number; last: number } {
  return { first: port, last: endPort };
}

/** A setting that listeners of one port must share, and the listener at which it is set. */
export type UnevenSetting = {
  readonly listener: string;
  readonly field: SharedField;
  readonly problem: Problem;
};

const sharedFields = ['ipv6Only', 'acceptProxy'] as const;
type SharedField = (typeof sharedFields)[number];

/**
 * The settings that differ between TLS listeners that share ports: one socket closes to IPv4 or does not, and the PROXY header
 * precedes the name by which clients are led to a listener. One of each listener whose settings differ from those of another. Pure.
 */
export function unevenSettings(listeners: readonly Listener[], settingsOf: SettingsOf): UnevenSetting[] {
  const ofTls = listeners.filter(({ protocol }) => protocol === 'TLS');
  return ofTls.flatMap((listener) =>
    sharedFields.flatMap((field) => {
      const other = ofTls.find(
        (each) =>
          commonPorts(listener, each, settingsOf) !== undefined &&
          !sameJson(valueOf(listener, field, settingsOf), valueOf(each, field, settingsOf)),
      );
      if (other === undefined) return [];
      return [{ listener: listener.name, field, problem: uneven(listener, other, field, settingsOf) }];
    }),
  );
}

function uneven(listener: Listener, other: Listener, field: SharedField, settingsOf: SettingsOf): Problem {
  const ports = commonPorts(listener, other, settingsOf) ?? '';
  return {
    path: ['spec', 'network', field],
    what: `differs between listeners "${listener.name}" and "${other.name}", which share port ${ports}`,
    remedy: 'set it to the same for both, or give each listener a port of its own',
  };
}

/** The ports that both have, as text; undefined if there is none. */
function commonPorts(a: Listener, b: Listener, settingsOf: SettingsOf): string | undefined {
  const [one, two] = [a, b].map((each) => portRange(each, settingsOf(each.name)));
  if (one === undefined || two === undefined) return undefined;
  const [first, last] = [Math.max(one.first, two.first), Math.min(one.last, two.last)];
  return first > last ? undefined : portsText(first, last);
}

/** What has to be the same, with its default. */
function valueOf({ name }: Listener, field: SharedField, settingsOf: SettingsOf): unknown {
  const { ipv6Only = false, acceptProxy } = settingsOf(name).network ?? {};
  if (field === 'ipv6Only') return ipv6Only;
  return acceptProxy?.enabled === true ? acceptProxy : 'off';
}

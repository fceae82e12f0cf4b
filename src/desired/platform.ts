import { withDefaults, type RelayDefaults } from '../api/relay-defaults.ts';
import type { Relay } from '../api/relay.ts';
import type { EngineChoice } from '../config/engine.ts';

/** What rendering needs besides the relay: what the operator runs with, and no RealmRelay sets. */
export type Platform = {
  /** Image of the relay program, for relays that do not name one. */
  readonly relayImage: string;
  /** Where the operator's Pods run: only they reach the admin port of a relay with a NetworkPolicy. */
  readonly operatorNamespace: string;
  /** What moves the bytes of relays. */
  readonly relayEngine: EngineChoice;
  /** Addresses and ranges that no relay may dial. */
  readonly deniedDestinations: readonly string[];
  /** What relays have that do not say otherwise. */
  readonly relayDefaults?: RelayDefaults;
  /** Whether Pods name no user and no group, since the cluster assigns them, as OpenShift does. */
  readonly omitUserIds?: boolean;
};

/** What of the platform the Pods of relays depend on. */
export type RelayProgram = Pick<Platform, 'relayImage' | 'relayEngine'>;

/** Where `config/` puts the operator; assumed by programs that do not run in a Pod. */
export const defaultOperatorNamespace = 'realm-operator-system';

/**
 * What relays may not dial by default: addresses whose services trust whoever is on the same machine or link. A relay
 * would open them to its clients.
 */
export const defaultDeniedDestinations: readonly string[] = [
  '0.0.0.0/8', // Linux connects 0.0.0.0 to loopback
  '::/128',
  '127.0.0.0/8',
  '::1/128',
  '169.254.0.0/16', // link-local; 169.254.169.254 is the metadata service of most clouds
  'fe80::/10',
  'fd00:ec2::254/128', // the metadata service of AWS
  '100.100.100.200/32', // the metadata service of Alibaba Cloud
];

/** `relay` with what the platform decides about it; the same object if it has that already. */
export function onPlatform(relay: Relay, platform: Platform): Relay {
  const { deniedDestinations, relayDefaults, omitUserIds = false } = platform;
  if (relay.deniedDestinations === deniedDestinations) return relay;
  const own = { ...relay, deniedDestinations, omitUserIds };
  return relayDefaults === undefined ? own : withDefaults(own, relayDefaults);
}

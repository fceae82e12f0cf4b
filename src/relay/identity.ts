import type { ConfigLanguage } from './stats/remedy.ts';

/** What a relay runs for, and where. */
export type RelayIdentity = {
  /** The RealmRelay, as namespace/name; '' = none, or several. */
  readonly relay: string;
  /** The Pod; '' = none. */
  readonly pod: string;
  /** What its configuration is made of, whose fields remedies name. */
  readonly madeOf: ConfigLanguage;
};

/** The identity of the relay program, by the variables that the operator sets in its Pods. */
export function identityOf(env: Readonly<Record<string, string | undefined>> = {}): RelayIdentity {
  const { REALM_RELAY: relay = '', POD_NAME: pod = '' } = env;
  return { relay, pod, madeOf: relay === '' ? 'Realm' : 'RealmRelay' };
}

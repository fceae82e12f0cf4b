/** What rendering needs besides the relay: what the operator runs with, and no RealmRelay sets. */
export type Platform = {
  /** Image of the relay program, for relays that do not name one. */
  readonly relayImage: string;
  /** Where the operator's Pods run: only they reach the admin port of a relay with a NetworkPolicy. */
  readonly operatorNamespace: string;
};

/** Where `config/` puts the operator; assumed by programs that do not run in a Pod. */
export const defaultOperatorNamespace = 'realm-operator-system';

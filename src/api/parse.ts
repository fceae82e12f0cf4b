/**
 * The API of the operator: the schema of RealmRelay, which also generates the CRD and its reference, and the rules that no
 * schema can express. `parseRealmRelay` turns a document into a `Relay`, the only input of rendering.
 */

import type { Problem } from '../lib/problem.ts';
import { readWith } from '../lib/schema-reader.ts';
import { linkLocalWarnings } from './link-local-warnings.ts';
import { loopbackWarnings } from './loopback-warnings.ts';
import { portConflicts, type PortConflict } from './port-conflicts.ts';
import type { Relay } from './relay.ts';
import { precise } from './remedies.ts';
import { resolve } from './resolve.ts';
import { relayProblems, relayWarnings } from './rules.ts';
import { realmRelaySchema, type RealmRelay } from './schema/realm-relay.ts';

/** The result of parsing a document as a RealmRelay. */
export type ParsedRelay = {
  /** Absent if a field is not valid. Do not run it unless there are neither problems nor conflicts. */
  readonly relay?: Relay;
  readonly problems: readonly Problem[];
  readonly conflicts: readonly PortConflict[];
  readonly warnings: readonly Problem[];
};

/**
 * Parses `document`, in the shape of the API, into a relay with every default applied.
 *
 * Never throws: the result contains every problem at once.
 */
export function parseRealmRelay(document: unknown): ParsedRelay {
  const { value, problems, warnings } = readWith(realmRelaySchema, document);
  if (value === undefined) return { problems: problems.map(precise), conflicts: [], warnings };
  const checked = checkedRelay(value);
  return { ...checked, warnings: [...warnings, ...checked.warnings] };
}

/**
 * The relay that `object` describes, held against the rules that no schema can express.
 *
 * @param isHost  whether it runs on a machine, and not in a Pod.
 */
export function checkedRelay(object: RealmRelay, isHost = false): ParsedRelay {
  const relay = resolve(object);
  return {
    relay,
    problems: relayProblems(relay),
    conflicts: portConflicts(relay.endpoints),
    warnings: [
      ...relayWarnings(relay),
      ...linkLocalWarnings(relay),
      ...(isHost ? [] : loopbackWarnings(relay)),
    ],
  };
}

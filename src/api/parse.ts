import type { Problem } from '../lib/problem.ts';
import { readWith } from '../lib/schema-reader.ts';
import { portConflicts, type PortConflict } from './port-conflicts.ts';
import type { Relay } from './relay.ts';
import { resolve } from './resolve.ts';
import { relayProblems, relayWarnings } from './rules.ts';
import { realmRelaySchema } from './schema/realm-relay.ts';

/** What became of a document that should be a RealmRelay. */
export type ParsedRelay = {
  /** Absent where a field is not valid. It may be run only where there are neither problems nor conflicts. */
  readonly relay?: Relay;
  readonly problems: readonly Problem[];
  readonly conflicts: readonly PortConflict[];
  readonly warnings: readonly Problem[];
};

/**
 * Parses `document`, in the shape of the API, into a relay with every default applied.
 *
 * Never throws: everything that is wrong is in the result, all at once.
 */
export function parseRealmRelay(document: unknown): ParsedRelay {
  const { value, problems, warnings } = readWith(realmRelaySchema, document);
  if (value === undefined) return { problems, conflicts: [], warnings };
  const relay = resolve(value);
  return {
    relay,
    problems: relayProblems(relay),
    conflicts: portConflicts(relay.endpoints),
    warnings: [...warnings, ...relayWarnings(relay)],
  };
}

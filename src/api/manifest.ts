import { z } from 'zod';
import type { Problem } from '../lib/problem.ts';
import { isRecord } from '../lib/record.ts';
import { readWith } from '../lib/schema-reader.ts';
import { metadataProblems } from './metadata-rules.ts';
import { checkedRelay, type ParsedRelay } from './parse.ts';
import { precise } from './remedies.ts';
import { objectMeta } from './schema/object-meta.ts';
import { realmRelaySchema } from './schema/realm-relay.ts';
import { statusSchema } from './schema/status.ts';

const manifestSchema = realmRelaySchema.extend({ metadata: objectMeta }).omit({ status: true });
/** What a status in a manifest may contain; its values have no effect. */
const statusOnly = z.object({ status: statusSchema });

/** The result of parsing a manifest. */
export type ParsedManifest = ParsedRelay & {
  /** Keys that `kubectl apply` refuses. */
  readonly unknownKeys: readonly Problem[];
};

/**
 * Parses `document`, which a person wrote, as a RealmRelay: as {@link parseRealmRelay}, but also reports what `kubectl apply`
 * refuses before the operator sees anything, such as unknown keys and invalid metadata.
 *
 * Never throws: the result contains every problem at once.
 *
 * @param isHost  whether the relay runs on a machine, and not in a Pod.
 */
export function parseManifest(document: unknown, isHost = false): ParsedManifest {
  const { status, ...rest }: Record<string, unknown> = isRecord(document) ? document : {};
  const { value, problems, warnings } = readWith(manifestSchema, rest);
  const ofStatus = isRecord(status) ? readWith(statusOnly, { status }).warnings : [];
  const unknownKeys = [...warnings, ...ofStatus].map(unknownKey);
  if (value === undefined)
    return { unknownKeys, problems: problems.map(precise), conflicts: [], warnings: [] };
  const { namespace, ...metadata } = value.metadata;
  const isNamed = namespace !== undefined && namespace !== '';
  const object = { ...value, metadata: { ...metadata, ...(isNamed && { namespace }) } };
  const parsed = checkedRelay(object, isHost);
  return { ...parsed, unknownKeys, problems: [...metadataProblems(value.metadata), ...parsed.problems] };
}

/** In brackets, YAML reads `{port:443}` as a key without a value. */
function unknownKey({ path, remedy }: Problem): Problem {
  const isUnspaced = /^[A-Za-z]+:./.test(String(path.at(-1)));
  return { path, what: 'is an unknown key', remedy: isUnspaced ? 'write a space after the colon' : remedy };
}

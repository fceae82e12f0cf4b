import {
  boolYaml11Tag,
  defineMappingTag,
  defineScalarTag,
  defineSequenceTag,
  mapTag,
  mergeTag,
  NOT_RESOLVED,
  nullYaml11Tag,
  Schema,
  seqTag,
  strTag,
} from 'js-yaml';

function tags() {
  const word = 'tag:yaml.org,2002:';
  const merges = new MergeOrder();
  return [
    strTag,
    nullYaml11Tag,
    boolYaml11Tag,
    defineScalarTag(`${word}int`, { ...numberTag, resolve: wholeNumber }),
    defineScalarTag(`${word}float`, { ...numberTag, resolve: floatNumber }),
    defineScalarTag(`${word}merge`, { ...mergeTag, resolve: merges.read.bind(merges) }),
    defineScalarTag(`${word}binary`, { resolve: decoded, identify: () => false }),
    seqTag,
    goMapTag(`${word}map`, { matchByTagPrefix: false, merges }),
    // Of any other tag, only the value counts.
    ...['!', 'tag:'].flatMap((prefix) => [
      defineScalarTag(prefix, {
        matchByTagPrefix: true,
        resolve: (source) => source,
        identify: () => false,
      }),
      defineSequenceTag(prefix, { ...seqTag, matchByTagPrefix: true, identify: () => false }),
      goMapTag(prefix, { matchByTagPrefix: true, merges }),
    ]),
  ];
}

/** A mapping of strings to values. Numbers and booleans as keys become strings, null is not a key. */
function goMapTag(
  tagName: string,
  { matchByTagPrefix, merges }: { readonly matchByTagPrefix: boolean; readonly merges: MergeOrder },
) {
  return defineMappingTag(tagName, {
    ...mapTag,
    matchByTagPrefix,
    identify: () => false,
    has: (container, key) => merges.has(container, key),
    addPair: (container, key, value) => {
      if (key === null) return nullKey;
      merges.add(container, key);
      return mapTag.addPair(container, key, value);
    },
  });
}

/**
 * Which keys of a mapping a merge leaves alone: those that an earlier mapping of its list has set. It replaces all others that are
 * written before it; those after it replace what it has set.
 *
 * Source: go.yaml.in/yaml/v2, decode.go, merge. YAML itself keeps the keys of the mapping, wherever they are written.
 */
class MergeOrder {
  /** Merge keys read so far. */
  #count = 0;
  /** The keys that a mapping got since the merge key with this number. */
  readonly #latest = new WeakMap<object, { readonly since: number; readonly keys: Set<string> }>();

  /** Reads what may be a merge key. */
  read(...scalar: Parameters<typeof mergeTag.resolve>): ReturnType<typeof mergeTag.resolve> {
    this.#count += 1;
    return mergeTag.resolve(...scalar);
  }

  has(mapping: object, key: unknown): boolean {
    return this.#keysOf(mapping).has(String(key));
  }

  add(mapping: object, key: unknown): void {
    this.#keysOf(mapping).add(String(key));
  }

  #keysOf(mapping: object): Set<string> {
    const latest = this.#latest.get(mapping);
    if (latest?.since === this.#count) return latest.keys;
    const keys = new Set<string>();
    this.#latest.set(mapping, { since: this.#count, keys });
    return keys;
  }
}

/** The reason of the error for a key that is null. */
export const nullKey = 'null is not a key';

const numberTag = {
  implicit: true,
  implicitFirstChars: Array.from('-+.0123456789'),
  identify: () => false,
};

const integerPattern = /^([-+]?)(0x[0-9a-f]+|0o[0-7]+|0b[01]+|0[0-7]*|[1-9][0-9]*)$/i;
const floatPattern = /^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:e[-+]?[0-9]+)?$/i;
const infinite = /^[-+]?\.(?:inf|Inf|INF)$/;
const notANumber = ['.nan', '.NaN', '.NAN'];

/** As `strconv.ParseInt` with base 0, once underscores are gone. */
function wholeNumber(source: string): number | typeof NOT_RESOLVED {
  const [, sign = '', digits = ''] = integerPattern.exec(source.replaceAll('_', '')) ?? [];
  if (digits === '') return NOT_RESOLVED;
  // Number reads no octal number that begins with a plain 0.
  const value = /^0[0-7]+$/.test(digits) ? parseInt(digits, 8) : Number(digits.toLowerCase());
  return sign === '-' ? -value : value;
}

function floatNumber(source: string): number | typeof NOT_RESOLVED {
  if (notANumber.includes(source)) return NaN;
  if (infinite.test(source)) return source.startsWith('-') ? -Infinity : Infinity;
  const plain = source.replaceAll('_', '');
  const value = floatPattern.test(plain) ? Number(plain) : NaN;
  return Number.isFinite(value) ? value : NOT_RESOLVED;
}

function decoded(source: string): string | typeof NOT_RESOLVED {
  const text = source.replaceAll(/\s/g, '');
  const isBase64 = /^[A-Za-z0-9+/]*={0,2}$/.test(text) && text.length % 4 === 0;
  return isBase64 ? Buffer.from(text, 'base64').toString() : NOT_RESOLVED;
}

/**
 * What scalars mean to Kubernetes: to sigs.k8s.io/yaml, which kubectl and the API server use. That is YAML 1.1 as
 * go-yaml reads it: `1e3` and `0o17` are numbers, `22:30` and `2024-01-31` are strings.
 *
 * Source: go.yaml.in/yaml/v2, resolve.go and decode.go.
 */
export const kubernetesSchema = new Schema(tags());

import { isRecord } from '../../src/lib/record.ts';
import type { Random } from '../fuzz/mutator.ts';

/** What this needs of an OpenAPI schema of a CRD. */
export type Schema = {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: Schema | boolean;
  readonly items?: Schema;
  readonly minItems?: number;
  readonly enum?: readonly string[];
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly maxLength?: number;
  readonly 'x-kubernetes-int-or-string'?: boolean;
};

type Value = unknown;
type Fields = Readonly<Record<string, Value>>;

/** Texts of every kind that a RealmRelay has, valid where the schema and the rules allow them. */
const texts = [
  'web',
  'a-b',
  '::',
  '0.0.0.0',
  '127.0.0.1',
  '192.0.2.7',
  '2001:db8::7',
  'backend.example',
  '10.0.0.0/8',
  '2001:db8::/32',
  '/path',
  'h2',
  'example.com/internal',
  'registry.example/realm-relay:2',
  'kubernetes.io/hostname',
  '25%',
  '100m',
  '64Mi',
];
const mapKeys = ['team', 'example.com/a', 'cpu', 'memory', 'https'];
/** More Pods or larger ranges show nothing new and take longer. */
const caps: Readonly<Record<string, number>> = { replicas: 4, minReplicas: 4, maxReplicas: 4, endPort: 60 };
/** How often an optional field is there. */
const optionalRate = 0.3;

/** Makes values that fit a schema, and edits values by it. */
export class SpecMutator {
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  /** `value` with one edit at a random place of `schema`: a field is set, removed, or given a value that does not fit. */
  mutate(schema: Schema, value: Value, name = ''): Value {
    if (schema.properties !== undefined && isRecord(value))
      return this.#mutateFields(schema.properties, value);
    if (schema.items !== undefined && Array.isArray(value))
      return this.#mutateItems(schema.items, value, name);
    return this.#chance(0.1) ? this.#unfit() : this.make(schema, name);
  }

  /** A value that fits `schema`, apart from its rules. */
  make(schema: Schema, name = ''): Value {
    if (schema['x-kubernetes-int-or-string'] === true) return this.#chance(0.3) ? 1 : this.#text(schema);
    if (schema.enum !== undefined) return this.#pick(schema.enum);
    if (schema.type === 'boolean') return this.#chance(0.5);
    if (schema.type === 'integer') return this.#number(schema, name);
    if (schema.type === 'string') return this.#text(schema);
    return schema.type === 'array' ? this.#items(schema, name) : this.#object(schema, name);
  }

  #object(schema: Schema, name: string): Fields {
    if (schema.properties !== undefined) return this.#fields(schema, schema.properties);
    return isRecord(schema.additionalProperties)
      ? { [this.#pick(mapKeys)]: this.make(schema.additionalProperties, name) }
      : {};
  }

  #mutateFields(properties: Readonly<Record<string, Schema>>, value: Fields): Fields {
    if (this.#chance(0.02)) return { ...value, unknownField: true };
    const name = this.#pick(Object.keys(properties));
    const [schema, before] = [properties[name] ?? {}, value[name]];
    if (before === undefined) return { ...value, [name]: this.make(schema, name) };
    if (this.#chance(0.25)) return Object.fromEntries(Object.entries(value).filter(([key]) => key !== name));
    return { ...value, [name]: this.mutate(schema, before, name) };
  }

  #mutateItems(schema: Schema, values: readonly Value[], name: string): Value[] {
    const at = Math.floor(this.#random() * values.length);
    if (this.#chance(0.15)) return [...values, this.make(schema, name)];
    if (this.#chance(0.15)) return values.toSpliced(at, 1);
    return values.with(at, this.mutate(schema, values[at], name));
  }

  #unfit(): Value {
    return this.#pick(['', -1, 70_000, 'x'.repeat(300), [], { a: 1 }, null, '日本']);
  }

  #fields({ required = [] }: Schema, properties: Readonly<Record<string, Schema>>): Fields {
    const names = Object.keys(properties).filter(
      (name) => required.includes(name) || this.#chance(optionalRate),
    );
    return Object.fromEntries(names.map((name) => [name, this.make(properties[name] ?? {}, name)]));
  }

  #items({ items = {}, minItems = 0 }: Schema, name: string): Value[] {
    const length = Math.max(minItems, 1) + (this.#chance(0.3) ? 1 : 0);
    return Array.from({ length }, () => this.make(items, name));
  }

  #number({ minimum = 0, maximum = 100 }: Schema, name: string): number {
    const most = Math.min(maximum, caps[name] ?? 10_000);
    const least = Math.min(minimum, most);
    return this.#pick([least, most, least + Math.floor(this.#random() * (most - least + 1))]);
  }

  #text({ pattern = '', maxLength = Infinity }: Schema): string {
    const fitting = texts.filter((text) => text.length <= maxLength && new RegExp(pattern).test(text));
    return fitting.length === 0 ? 'web' : this.#pick(fitting);
  }

  #pick<T>(choices: readonly T[]): T {
    const chosen = choices[Math.floor(this.#random() * choices.length)];
    if (chosen === undefined) throw new Error('nothing to choose from');
    return chosen;
  }

  #chance(rate: number): boolean {
    return this.#random() < rate;
  }
}

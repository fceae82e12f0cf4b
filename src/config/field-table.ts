import { ownValue } from '../lib/record.ts';

/**
 * Maps each field of `Fields`, a part of a RealmRelay, to the key of `Keys`, a table of the relay's file, with the same
 * meaning; `!` before a key marks the opposite meaning. A group of fields is a nested table. A missing field does not
 * compile.
 */
export type FieldTable<Fields, Keys> = {
  readonly [Field in keyof Fields]: Fields[Field] extends Scalar | readonly unknown[]
    ? (keyof Keys & string) | `!${keyof Keys & string}`
    : FieldTable<Fields[Field], Keys> & { readonly enabled: keyof Keys };
};

type Scalar = string | number | boolean;

/** The keys in a table. */
export type KeysIn<Table> = Table extends `!${infer Key}`
  ? Key
  : Table extends string
    ? Table
    : KeysIn<Table[keyof Table]>;

type AnyFieldTable = { readonly [field: string]: string | (AnyFieldTable & { readonly enabled: string }) };
type Values = Readonly<Record<string, unknown>>;

/** `fields` as keys of the relay's file. Empty lists, and groups that are not enabled, are left out. */
export function keysOf(table: AnyFieldTable, fields: Values): Values {
  return Object.fromEntries(keyEntries(table, fields));
}

function keyEntries(table: AnyFieldTable, fields: Values): [string, unknown][] {
  return Object.entries(table).flatMap(([field, key]): [string, unknown][] => {
    const value = ownValue(fields, field);
    if (typeof key !== 'string') {
      const group = value as Values;
      return group['enabled'] === true ? keyEntries(key, group) : [];
    }
    if (Array.isArray(value) && value.length === 0) return [];
    return key.startsWith('!') ? [[key.slice(1), value !== true]] : [[key, value]];
  });
}

/**
 * The fields in which `keys` differ from `base`, which applies already. Of a group that is not enabled, only `enabled` is
 * compared.
 *
 * @param keys  every key of the table.
 * @param base  likewise.
 */
export function differingFields(table: AnyFieldTable, keys: Values, base: Values): Values {
  const entries = Object.entries(table).flatMap(([field, key]): [string, unknown][] => {
    if (typeof key !== 'string') {
      const { enabled } = key;
      const group = differingFields(ownValue(keys, enabled) === true ? key : { enabled }, keys, base);
      return Object.keys(group).length === 0 ? [] : [[field, group]];
    }
    const name = key.replace(/^!/, '');
    const value = ownValue(keys, name);
    if (JSON.stringify(value) === JSON.stringify(ownValue(base, name))) return [];
    return [[field, key === name ? value : value !== true]];
  });
  return Object.fromEntries(entries);
}

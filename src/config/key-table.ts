import type { Rule } from '../lib/document-rules.ts';
import { ownValue } from '../lib/record.ts';

/** A key of one of the tables in Realm's file. */
export type Key<T> = {
  /** How its value is read. */
  readonly rule: Rule<T>;
  /** Whether it is ours: Realm, which does not know it, ignores it. */
  readonly isOurs: boolean;
};

/** A key that becomes one field of the relay's settings. */
export type SettingKey<T, Field extends string, Setting> = Key<T> & {
  /** The value that holds if the file does not give the key. */
  readonly default: T;
  readonly field: Field;
  readonly conversion: Conversion<T, Setting>;
};

/** A value as the file has it, and as the relay uses it: `toFile(toSetting(x))` is x. */
export type Conversion<T, Setting> = {
  readonly toSetting: (written: T) => Setting;
  readonly toFile: (setting: Setting) => T;
};

/** Whole seconds in the file, milliseconds in the relay. */
export const milliseconds: Conversion<number, number> = {
  toSetting: (seconds) => seconds * 1000,
  toFile: (ms) => ms / 1000,
};

/** True in the file is false in the relay. */
export const negated: Conversion<boolean, boolean> = { toSetting: (is) => !is, toFile: (is) => !is };

const unchanged: Conversion<unknown, unknown> = { toSetting: (value) => value, toFile: (value) => value };

/** A key that Realm knows, too, and of which the relay makes something of its own. */
export function key<T>(rule: Rule<T>): Key<T> {
  return { rule, isOurs: false };
}

/**
 * A key that Realm knows, too, and that becomes `field` of the settings.
 *
 * @param fallback    the default, as the file would have it.
 * @param conversion  absent = the setting is what the file has.
 */
export function setting<T, Field extends string>(
  field: Field,
  rule: Rule<T>,
  fallback: NoInfer<T>,
): SettingKey<T, Field, T>;
export function setting<T, Field extends string, Setting>(
  field: Field,
  rule: Rule<T>,
  fallback: NoInfer<T>,
  conversion: Conversion<NoInfer<T>, Setting>,
): SettingKey<T, Field, Setting>;
export function setting(
  field: string,
  rule: Rule<unknown>,
  fallback: unknown,
  conversion = unchanged,
): SettingKey<unknown, string, unknown> {
  return { ...key(rule), default: fallback, field, conversion };
}

/** `row`, of which Realm does not know the key. */
export function ours<Row extends Key<unknown>>(row: Row): Row {
  return { ...row, isOurs: true };
}

type KeyTable = Readonly<Record<string, Key<unknown>>>;

/** A `SettingKey` of whatever type. */
type AnySettingKey = Key<unknown> & {
  readonly default: unknown;
  readonly field: string;
  readonly conversion: {
    readonly toSetting: (written: never) => unknown;
    readonly toFile: (setting: never) => unknown;
  };
};

type SettingTable = Readonly<Record<string, AnySettingKey>>;

/** A table as it stands in a document: every key may be absent. */
export type Written<Keys extends KeyTable> = {
  readonly [K in keyof Keys]?: Keys[K] extends Key<infer T> ? T : never;
};

/** The settings that the keys of a table become: every field is there. */
export type Settings<Keys extends SettingTable> = {
  readonly [K in keyof Keys as Keys[K]['field']]: ReturnType<Keys[K]['conversion']['toSetting']>;
};

/** The rules of `keys`, by which a document is read. */
export function rulesOf<Keys extends KeyTable>(keys: Keys): { [K in keyof Keys]: Keys[K]['rule'] } {
  const rules = Object.entries(keys).map(([name, { rule }]) => [name, rule]);
  return Object.fromEntries(rules) as { [K in keyof Keys]: Keys[K]['rule'] };
}

/** The settings that `written` asks for, defaults applied. */
export function settingsOf<Keys extends SettingTable>(keys: Keys, written: Written<Keys>): Settings<Keys> {
  const given = written as Readonly<Record<string, unknown>>;
  const settings = Object.entries(keys).map(([name, row]) => {
    return [row.field, row.conversion.toSetting((ownValue(given, name) ?? row.default) as never)];
  });
  return Object.fromEntries(settings) as Settings<Keys>;
}

/** The table that asks for `settings`, with every key; a field that is absent has its default. */
export function writtenOf<Keys extends SettingTable>(
  keys: Keys,
  settings: Partial<Settings<Keys>>,
): Required<Written<Keys>> {
  const given = settings as Readonly<Record<string, unknown>>;
  const written = Object.entries(keys).map(([name, row]) => {
    const value = ownValue(given, row.field);
    return [name, value === undefined ? row.default : row.conversion.toFile(value as never)];
  });
  return Object.fromEntries(written) as Required<Written<Keys>>;
}

/** `written` without the keys that are ours alone; these are optional in `T`, since Realm's own files lack them. */
export function realmsKeys<T extends object>(keys: KeyTable, written: T): T {
  const known = Object.entries(written).filter(([name]) => ownValue(keys, name)?.isOurs !== true);
  return Object.fromEntries(known) as T;
}

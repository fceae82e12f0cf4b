import type { Rule } from '../lib/document-rules.ts';
import { ownValue } from '../lib/record.ts';

/** A key of one of the tables in Realm's file. */
export type Key<T> = {
  /** Reads its value. */
  readonly rule: Rule<T>;
  /** Whether it is our own key, which Realm ignores. */
  readonly isOurs: boolean;
};

/** A key that becomes one field of the relay's settings. */
export type SettingKey<T, Field extends string, Setting> = Key<T> & {
  /** The value if the file does not set the key. */
  readonly default: T;
  readonly field: Field;
  readonly conversion: Conversion<T, Setting>;
};

/** Converts a value between the file and the relay: `toFile(toSetting(x))` is x. */
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

/** A key that Realm also has, which the relay converts in code of its own. */
export function key<T>(rule: Rule<T>): Key<T> {
  return { rule, isOurs: false };
}

/**
 * A key that Realm also has, which becomes `field` of the settings.
 *
 * @param fallback  the default, in the units of the file.
 * @param conversion  absent = the setting equals the value in the file.
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

/** Marks `row` as our own key, which Realm ignores. */
export function ours<Row extends Key<unknown>>(row: Row): Row {
  return { ...row, isOurs: true };
}

type KeyTable = Readonly<Record<string, Key<unknown>>>;

/** A `SettingKey` of any type. */
type AnySettingKey = Key<unknown> & {
  readonly default: unknown;
  readonly field: string;
  readonly conversion: {
    readonly toSetting: (written: never) => unknown;
    readonly toFile: (setting: never) => unknown;
  };
};

type SettingTable = Readonly<Record<string, AnySettingKey>>;

/** A table as written in a document: every key is optional. */
export type Written<Keys extends KeyTable> = {
  readonly [K in keyof Keys]?: Keys[K] extends Key<infer T> ? T : never;
};

/** The settings that the keys of a table become: every field is present. */
export type Settings<Keys extends SettingTable> = {
  readonly [K in keyof Keys as Keys[K]['field']]: ReturnType<Keys[K]['conversion']['toSetting']>;
};

/** The rules that read `keys` from a document. */
export function rulesOf<Keys extends KeyTable>(keys: Keys): { [K in keyof Keys]: Keys[K]['rule'] } {
  const rules = Object.entries(keys).map(([name, { rule }]) => [name, rule]);
  return Object.fromEntries(rules) as { [K in keyof Keys]: Keys[K]['rule'] };
}

/** The settings of `written`, with defaults applied. */
export function settingsOf<Keys extends SettingTable>(keys: Keys, written: Written<Keys>): Settings<Keys> {
  const given = written as Readonly<Record<string, unknown>>;
  const settings: Record<string, unknown> = {};
  for (const [name, { field, conversion, default: fallback }] of Object.entries(keys)) {
    // eslint-disable-next-line realm/own-lookup -- the fields are words of our own tables
    settings[field] = conversion.toSetting((ownValue(given, name) ?? fallback) as never);
  }
  return settings as Settings<Keys>;
}

/** The table that gives `settings`, with every key; an absent field gets its default. */
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

/** `written` without our own keys; these are optional in `T`, because files for Realm lack them. */
export function realmsKeys<T extends object>(keys: KeyTable, written: T): T {
  const known = Object.entries(written).filter(([name]) => ownValue(keys, name)?.isOurs !== true);
  return Object.fromEntries(known) as T;
}

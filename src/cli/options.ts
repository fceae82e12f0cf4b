import { parseArgs, type ParseArgsOptionsConfig } from 'node:util';
import type { Findings, Rule } from '../lib/document-rules.ts';
import { nearest, problemText, type Diagnosis, type Problem } from '../lib/problem.ts';
import { ownValue } from '../lib/record.ts';
import { UsageError } from '../lib/usage-error.ts';

/**
 * Parses the flags in `argv`; every command has `--help`. As in programs written in Go, a flag that takes no value may be
 * given with `=true` or `=false`.
 *
 * @param maxPositionals  how many arguments may be no flags.
 * @throws UsageError for an unknown flag, a flag given twice that may be given once, a missing or empty value, or too many
 *   arguments that are no flags.
 */
export function parseOptions<T extends ParseArgsOptionsConfig>(
  argv: readonly string[],
  options: T,
  maxPositionals = 0,
) {
  const { flags, positionals } = new CommandLine(argv, options);
  const [extra] = positionals.slice(maxPositionals);
  if (extra !== undefined)
    throw fault(extra, {
      what: 'is an argument too many',
      remedy: 'remove it; a flag is written as --FLAG=VALUE',
    });
  const args = [...flags, '--', ...positionals];
  return parseArgs({ args, options, strict: true, allowPositionals: true });
}

/**
 * Reads the value of a flag by `rule`.
 *
 * @param name  of the flag, with its dashes.
 * @throws UsageError
 */
export function flagValue<T>(name: string, value: unknown, rule: Rule<T>): T {
  const findings: Findings = { problems: [], warnings: [] };
  const read = rule(value, [name], findings);
  const [problem] = findings.problems;
  if (problem === undefined && read !== undefined) return read;
  throw usageError(problem ?? { path: [name], what: 'has no effect', value, remedy: 'leave it out' });
}

/** The arguments of a command, each flag checked and written as `--name` or `--name=value`. */
class CommandLine {
  readonly flags: string[] = [];
  readonly positionals: string[] = [];
  readonly #options: ParseArgsOptionsConfig;
  readonly #given = new Set<string>();

  constructor(argv: readonly string[], options: ParseArgsOptionsConfig) {
    this.#options = options;
    const rest = [...argv];
    for (let argument = rest.shift(); argument !== undefined; argument = rest.shift()) {
      if (argument === '--') this.positionals.push(...rest.splice(0));
      else if (argument.startsWith('-') && argument !== '-') this.#readFlag(argument, rest);
      else this.positionals.push(argument);
    }
  }

  /** @param rest  the arguments after `argument`; its value is taken from there. */
  #readFlag(argument: string, rest: string[]): void {
    const { name, value } = this.#split(argument, rest);
    const option = ownValue(this.#options, name);
    if (option === undefined) throw unknownFlag(argument, Object.keys(this.#options));
    const flag = `--${name}`;
    if (this.#given.has(name) && option.multiple !== true)
      throw fault(flag, { what: 'is given twice', remedy: 'give it once' });
    this.#given.add(name);
    if (option.type === 'boolean') this.#addSwitch(flag, value);
    else this.flags.push(`${flag}=${value ?? nextValue(flag, rest)}`);
  }

  #addSwitch(flag: string, value = 'true'): void {
    if (value !== 'true' && value !== 'false')
      throw fault(flag, { what: 'takes no such value', value, remedy: 'use true or false, or no value' });
    if (value === 'true') this.flags.push(flag);
  }

  /**
   * The long name of the flag in `argument`, and its value if that is there, too. As in kubectl, short flags without a value
   * may be written together, `-qR`; the others then go to `rest`.
   */
  #split(argument: string, rest: string[]): { name: string; value?: string } {
    const [, long = '', value] = /^--([^=]+)(?:=(.*))?$/s.exec(argument) ?? [];
    if (long !== '') return value === undefined ? { name: long } : { name: long, value };
    const short = Object.entries(this.#options).find(([, option]) => option.short === argument[1]);
    if (short === undefined) return { name: long };
    const [name, { type }] = short;
    const after = argument.slice(2);
    if (after === '') return { name };
    if (after.startsWith('=')) return { name, value: after.slice(1) };
    if (type === 'string') return { name, value: after };
    rest.unshift(`-${after}`);
    return { name };
  }
}

function nextValue(flag: string, rest: string[]): string {
  const [next = ''] = rest;
  const isFlag = next.startsWith('-') && next !== '-';
  if (rest.length === 0 || isFlag) throw fault(flag, { what: 'has no value', remedy: `write ${flag}=VALUE` });
  rest.shift();
  return next;
}

function unknownFlag(argument: string, known: readonly string[]): UsageError {
  const [word = ''] = argument.replace(/^-+/, '').split('=');
  const near = nearest(word, known);
  const remedy = near === undefined ? 'see --help for the flags' : `did you mean --${near}?`;
  return fault(argument, { what: 'is an unknown flag', remedy });
}

function fault(flag: string, diagnosis: Diagnosis & { readonly value?: string }): UsageError {
  return usageError({ path: [flag], ...diagnosis });
}

function usageError(problem: Problem): UsageError {
  return new UsageError(problemText(problem));
}

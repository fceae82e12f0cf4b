import { join } from 'node:path';
import { RuleTester } from 'eslint';
import tseslint from 'typescript-eslint';
import { ownLookup } from '../../tools/eslint-rules/own-lookup.ts';

RuleTester.describe = describe;
RuleTester.it = it;

const tester = new RuleTester({
  languageOptions: {
    parser: tseslint.parser,
    parserOptions: {
      projectService: { allowDefaultProject: ['*.ts'] },
      tsconfigRootDir: join(import.meta.dirname, '..', '..'),
    },
  },
});

const given = 'declare const table: Readonly<Record<string, number>>; declare const word: string;';
const errors = [{ messageId: 'lookup' }];

describe('own-lookup', function () {
  tester.run('looks up no word in a dictionary', ownLookup, {
    valid: [
      { name: 'a word of this project', code: `${given} table['known'];` },
      { name: 'one of some words', code: `${given} declare const known: 'a' | 'b'; table[known];` },
      { name: 'a list', code: `declare const list: number[]; declare const index: number; list[index];` },
      { name: 'an object with known fields', code: `declare const point: { x: number }; point['x'];` },
      { name: 'a Map', code: `${given} new Map(Object.entries(table)).get(word);` },
      { name: 'own fields alone', code: `${given} Object.hasOwn(table, word);` },
    ],
    invalid: [
      { name: 'any word', code: `${given} table[word];`, errors },
      { name: 'a word made of others', code: `${given} table[\`a.\${word}\`];`, errors },
      {
        name: 'a value that may be a word',
        code: `${given} declare const key: string | 1; table[key];`,
        errors,
      },
      {
        name: 'a dictionary that may be absent',
        code: `${given} (table as typeof table | undefined)?.[word];`,
        errors,
      },
      {
        name: 'a type parameter',
        code: 'function f<T extends Record<string, number>>(table: T, word: string) { return table[word]; }',
        errors,
      },
      {
        name: 'a word that is written',
        code: `${given} const own: Record<string, number> = {}; own[word] = 1;`,
        errors,
      },
      { name: 'the operator in', code: `${given} word in table;`, errors },
      { name: 'the environment', code: `${given} process.env[word];`, errors },
    ],
  });
});

import regexp from 'eslint-plugin-regexp';
import tseslint from 'typescript-eslint';
import { ownLookup } from './tools/eslint-rules/own-lookup.ts';

export default tseslint.config(
  {
    ignores: [
      'dist/',
      'coverage/',
      'node_modules/',
      'test/cluster/bin/',
      'src/**/page/html.ts',
      '*.config.js',
      '.dependency-cruiser.js',
    ],
  },
  ...tseslint.configs.strictTypeChecked,
  {
    plugins: { regexp },
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      // A pattern that backtracks takes quadratic time or worse for a stranger's text.
      'regexp/no-super-linear-backtracking': ['error', { report: 'potential' }],
      'regexp/no-super-linear-move': ['error', { report: 'potential', ignoreSticky: false }],
      complexity: ['error', 10],
      'max-depth': ['error', 3],
      'max-params': ['error', 4],
      'max-lines': ['error', { max: 300, skipBlankLines: true, skipComments: true }],
      'max-lines-per-function': ['error', { max: 50, skipBlankLines: true, skipComments: true }],
      'no-else-return': 'error',
      'no-console': 'error',
      eqeqeq: 'error',
      // The models of @kubernetes/client-node are classes; we use them as the types of plain JSON objects.
      '@typescript-eslint/no-unsafe-class-instance-assignment': 'off',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/consistent-type-definitions': ['error', 'type'],
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
    },
  },
  {
    files: ['src/**'],
    ignores: ['src/lib/record.ts'], // the one place that looks up a word
    plugins: { realm: { rules: { 'own-lookup': ownLookup } } },
    rules: { 'realm/own-lookup': 'error' },
  },
  {
    ignores: ['src/relay/kernel/**'], // the one room that touches raw memory
    rules: {
      'no-restricted-imports': ['error', { paths: ['node:ffi', 'ffi'] }],
      'no-restricted-syntax': [
        'error',
        {
          selector: "CallExpression[callee.property.name='getBuiltinModule'] > Literal[value=/ffi/]",
          message: 'Only src/relay/kernel uses node:ffi.',
        },
        {
          selector: 'ImportExpression > Literal[value=/^(node:)?ffi$/]',
          message: 'Only src/relay/kernel uses node:ffi.',
        },
      ],
    },
  },
  {
    files: ['test/**', 'bench/**'],
    rules: {
      // A describe callback is a list of tests, not a function to keep short.
      'max-lines-per-function': 'off',
      // A table of cases is as long as there are cases.
      'max-lines': ['error', { max: 400, skipBlankLines: true, skipComments: true }],
      // Their patterns read what the tests and this project write.
      'regexp/no-super-linear-backtracking': 'off',
      'regexp/no-super-linear-move': 'off',
      // chai's property assertions (`expect(x).to.be.true`) are expressions.
      '@typescript-eslint/no-unused-expressions': 'off',
    },
  },
);

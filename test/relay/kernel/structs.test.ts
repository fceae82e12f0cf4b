import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { constants } from '../../../src/relay/kernel/constants.ts';
import { isKnownArchitecture, layoutsFor, layouts, type Layouts } from '../../../src/relay/kernel/structs.ts';

const headers = [
  'sys/epoll.h',
  'sys/socket.h',
  'sys/uio.h',
  'sys/resource.h',
  'sys/un.h',
  'netinet/in.h',
  'netinet/tcp.h',
  'linux/filter.h',
  'fcntl.h',
  'errno.h',
  'stddef.h',
  'stdio.h',
];

/** Debian: gcc-aarch64-linux-gnu. */
const arm64Compiler = 'aarch64-linux-gnu-gcc';

// Newer than the headers of some systems; the kernel's documentation has their numbers.
const fallbacks = { IPPROTO_MPTCP: 262, UDP_SEGMENT: 103, UDP_GRO: 104, SOL_UDP: 17 };

/** A C program whose function `main` has these statements. */
function source(statements: readonly string[]): string {
  const defined = Object.entries(fallbacks).map(
    ([name, value]) => `#ifndef ${name}\n#define ${name} ${String(value)}\n#endif`,
  );
  return [
    '#define _GNU_SOURCE',
    ...headers.map((header) => `#include <${header}>`),
    ...defined,
    `int main(void) { ${statements.join('\n')} return 0; }`,
    '',
  ].join('\n');
}

/** Prints each layout and each constant as the compiler has it. */
function program(): string {
  const lines = Object.entries(layouts).flatMap(([struct, { offsets }]) => [
    `printf("${struct} %zu\\n", sizeof(struct ${struct}));`,
    ...Object.keys(offsets).map(
      (field) => `printf("${struct}.${field} %zu\\n", offsetof(struct ${struct}, ${field}));`,
    ),
  ]);
  const numbers = Object.keys(constants).map(
    (name) => `printf("${name} %lld\\n", (long long)(unsigned)${name});`,
  );
  return source([...lines, ...numbers]);
}

/** Compiles only if the compiler has each layout and each constant as they are here: so it need not run. */
function assertions(expectedLayouts: Layouts): string {
  const equal = (text: string, value: number): string =>
    `_Static_assert((unsigned)(${text}) == ${String(value)}u, "${text}");`;
  const structs = Object.entries(expectedLayouts).flatMap(([struct, { size, offsets }]) => [
    equal(`sizeof(struct ${struct})`, size),
    ...Object.entries(offsets).map(([field, offset]) =>
      equal(`offsetof(struct ${struct}, ${field})`, offset),
    ),
  ]);
  return source([...structs, ...Object.entries(constants).map(([name, value]) => equal(name, value))]);
}

/** What the cross compiler of arm64 reports about `text`; '' if it accepts it. */
function arm64Errors(text: string): string {
  const options = ['-std=c11', '-fsyntax-only', '-x', 'c', '-'];
  const { status, stderr } = spawnSync(arm64Compiler, options, { input: text, encoding: 'utf8' });
  return status === 0 ? '' : stderr;
}

function expected(): Record<string, number> {
  const sizes = Object.entries(layouts).flatMap(([struct, { size, offsets }]) => [
    [struct, size] as const,
    ...Object.entries(offsets).map(([field, offset]) => [`${struct}.${field}`, offset] as const),
  ]);
  return Object.fromEntries([...sizes, ...Object.entries(constants)]);
}

describe('structs of the kernel', () => {
  const hasCompiler = spawnSync('cc', ['--version']).status === 0;
  const skipped = hasCompiler ? '' : ' (skipped: no C compiler here)';

  (hasCompiler ? it : it.skip)(
    `have the layout, and the constants the values, that the C compiler gives them${skipped}`,
    function () {
      const folder = mkdtempSync(join(tmpdir(), 'realm-structs-'));
      try {
        const [source, binary] = [join(folder, 'structs.c'), join(folder, 'structs')];
        writeFileSync(source, program());
        const compiled = spawnSync('cc', ['-o', binary, source], { encoding: 'utf8' });
        expect(compiled.stderr).to.equal('');
        const printed = spawnSync(binary, { encoding: 'utf8' }).stdout.trim().split('\n');
        const actual = Object.fromEntries(
          printed.map((line) => line.split(' ')).map(([name = '', value]) => [name, Number(value)]),
        );
        expect(actual).to.deep.equal(expected());
      } finally {
        rmSync(folder, { recursive: true });
      }
    },
  );

  const hasArm64 = spawnSync(arm64Compiler, ['--version']).status === 0;
  const arm64Skipped = hasArm64 ? '' : ` (skipped: no ${arm64Compiler} here)`;
  (hasArm64 ? it : it.skip)(
    `have the layout, and the constants the values, that a C compiler for arm64 gives them${arm64Skipped}`,
    function () {
      expect(arm64Errors(assertions(layoutsFor('arm64')))).to.equal('');
      expect(arm64Errors(assertions(layoutsFor('x64')))) // epoll_event alone differs
        .to.include('sizeof(struct epoll_event)')
        .and.not.include('sizeof(struct msghdr)');
    },
  );

  it('differ between x64 and arm64 only in epoll_event, which is packed on x64', () => {
    const { epoll_event: x64, ...restOfX64 } = layoutsFor('x64');
    const { epoll_event: arm64, ...restOfArm64 } = layoutsFor('arm64');
    expect(restOfX64).to.deep.equal(restOfArm64);
    expect([x64.size, arm64.size]).to.deep.equal([12, 16]);
  });

  for (const [name, { size, offsets }] of Object.entries(layouts)) {
    it(`have every field of ${name} within its size`, () => {
      for (const offset of Object.values(offsets)) expect(offset).to.be.within(0, size - 1);
    });
  }

  it('are known for x64 and arm64 alone', () => {
    expect(['x64', 'arm64', 'ia32', 'riscv64', ''].filter(isKnownArchitecture)).to.deep.equal([
      'x64',
      'arm64',
    ]);
  });
});

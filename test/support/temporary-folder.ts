import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** A folder that each test has for itself. */
export type TemporaryFolder = {
  /** Its path. */
  readonly folder: () => string;
  /** Writes a file into it, and into folders inside it. @returns its path. */
  readonly file: (name: string, text: string) => string;
};

/** Makes a folder before each test of this suite, or file, and removes it after the test. */
export function temporaryFolder(): TemporaryFolder {
  let path = '';
  beforeEach(() => {
    path = mkdtempSync(join(tmpdir(), 'realm-operator-'));
  });
  afterEach(() => {
    rmSync(path, { recursive: true });
  });
  return {
    folder: () => path,
    file: (name, text) => {
      const file = join(path, name);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, text);
      return file;
    },
  };
}

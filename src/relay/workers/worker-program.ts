/**
 * What a worker thread runs: the file with its program, or the text of the program.
 *
 * This is the source's. In a bundle `tools/build.ts` replaces this module with one that has the program as text. So a
 * single executable needs no file, and a process whose files an upgrade has replaced still starts workers of its version.
 */
export const workerProgram: URL | string = new URL('./relay-worker.ts', import.meta.url);

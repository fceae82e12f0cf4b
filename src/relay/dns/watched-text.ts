import { closeSync, fstatSync, openSync, readSync, statSync, type Stats } from 'node:fs';

/** Far above the size of any real file; lines beyond it are ignored. */
const maxBytes = 16 * 1024 * 1024;

/** A file that changes within this time of a change may keep its time: kernels count in ticks. */
const tickMs = 50;

/**
 * A text file of the system and what is derived from it, read again when it changes. Reading is synchronous, because
 * these files are local, and lookups must not wait for the threads that other files are read with.
 */
export class WatchedText<T> {
  readonly #path: string;
  readonly #parse: (text: string) => T;
  #version: string | undefined;
  #read: { readonly text: string; readonly value: T } | undefined;

  /** @param parse  of '' if the file is missing or cannot be read. */
  constructor(path: string, parse: (text: string) => T) {
    this.#path = path;
    this.#parse = parse;
  }

  /** What the file holds now; the same object as before if it has not changed. */
  get value(): T {
    const version = versionOf(this.#path);
    if (this.#read !== undefined && version !== undefined && version === this.#version)
      return this.#read.value;
    const text = fileText(this.#path);
    this.#version = version;
    if (text !== this.#read?.text) this.#read = { text, value: this.#parse(text) };
    return this.#read.value;
  }
}

/** @returns undefined if the file may change without another version. */
function versionOf(path: string): string | undefined {
  let stats: Stats | undefined;
  try {
    stats = statSync(path, { throwIfNoEntry: false });
  } catch {
    // not to be read, which counts as missing
  }
  if (stats === undefined) return 'missing';
  if (Math.abs(Date.now() - stats.mtimeMs) < tickMs) return undefined;
  return [stats.dev, stats.ino, stats.size, stats.mtimeMs, stats.ctimeMs].join(' ');
}

/** The first 16 MiB, up to the last whole line. */
function fileText(path: string): string {
  let file: number | undefined;
  try {
    file = openSync(path, 'r');
    const bytes = Buffer.alloc(Math.min(maxBytes, fstatSync(file).size));
    const count = readSync(file, bytes, 0, bytes.length, 0);
    const end = count < maxBytes ? count : bytes.lastIndexOf('\n') + 1;
    return bytes.toString('utf8', 0, end);
  } catch {
    return ''; // optional on some systems
  } finally {
    if (file !== undefined) closeSync(file);
  }
}

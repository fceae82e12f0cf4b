import type * as Ffi from 'node:ffi';

/** The module `node:ffi`. */
export type FfiModule = typeof Ffi;

/**
 * The module `node:ffi`; undefined if this Node.js does not have it.
 *
 * Node.js warns of it, as experimental, when it is first loaded. That one warning is dropped: the relay uses it
 * knowingly, and falls back to `node:net` where it differs. Every other warning passes.
 */
export function loadFfi(): FfiModule | undefined {
  const original = Reflect.get(process, 'emitWarning');
  process.emitWarning = (warning: string | Error, ...rest: unknown[]) => {
    if (!isFfiWarning(warning, rest[0])) Reflect.apply(original, process, [warning, ...rest]);
  };
  try {
    return process.getBuiltinModule('node:ffi');
  } finally {
    process.emitWarning = original;
  }
}

function isFfiWarning(warning: unknown, type: unknown): boolean {
  return type === 'ExperimentalWarning' && typeof warning === 'string' && warning.startsWith('FFI ');
}

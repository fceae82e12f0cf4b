import { Socket, type OnReadOpts, type Server } from 'node:net';

// The only file that knows private names of Node. Tried on 24 and 26; where they are missing, the relay
// reads by `data` events, which costs about twice the CPU.
type Handle = { readonly useUserBuffer?: unknown; readonly readStop?: unknown };
type WithHandle = { _handle?: Handle | null };

/** Reads of a socket land in a buffer of ours: what `net.Socket`'s `onread` takes. */
export type Reader = {
  /** The buffer for the next read; asked for after each one. */
  readonly buffer: () => Uint8Array;
  /** Takes `count` bytes at the start of `buffer`, which is reused; false = read no more until `resume()`. */
  readonly callback: (count: number, buffer: Uint8Array) => boolean;
};

/** Whether connections accepted by `server`, which listens, can be taken over: this Node has the private names. */
export function canTakeOver(server: Server): boolean {
  const handle = (server as WithHandle)._handle;
  return typeof handle?.useUserBuffer === 'function' && typeof handle.readStop === 'function';
}

/**
 * The connection of `accepted` as a socket that reads into the buffers of `reader` and stays open for
 * writing when its peer ends.
 *
 * @param accepted  just accepted, by a server with `pauseOnConnect` and `allowHalfOpen`; not to be used any more.
 */
export function takeOver(accepted: Socket, reader: Reader): Socket {
  const handle = (accepted as WithHandle)._handle;
  if (typeof handle?.useUserBuffer !== 'function') return readByEvents(accepted, reader);
  (accepted as WithHandle)._handle = null;
  accepted.destroy(); // at once, or the server counts the connection for ever
  const onread: OnReadOpts = reader;
  return new Socket({ handle, onread, allowHalfOpen: true } as ConstructorParameters<typeof Socket>[0]);
}

function readByEvents(accepted: Socket, reader: Reader): Socket {
  accepted.on('data', (part: Buffer) => {
    if (!reader.callback(part.length, part)) accepted.pause();
  });
  return accepted;
}

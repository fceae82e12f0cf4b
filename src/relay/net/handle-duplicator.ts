import { randomUUID } from 'node:crypto';
import type { Server } from 'node:net';
import type { HandleDuplicator, ListenHandle } from './channel.ts';
import { triedMajor } from './node-handles.ts';

// The only file that knows Node's private pipes. A process cannot duplicate a descriptor in Node.js, but it can
// send a handle to another process over a pipe, and the other end of that pipe may as well be its own.

/** A pipe as Node has it from libuv. Each function returns 0 or an error's number, negative. */
type PipeHandle = ListenHandle & {
  readonly fd: number;
  /** Bytes that the kernel has not taken; also those whose write failed, until that is told. */
  readonly writeQueueSize: number;
  pendingHandle?: ListenHandle | null;
  onread?: (bytes?: ArrayBuffer) => void;
  onconnection?: (status: number, client: PipeHandle) => void;
  bind: (name: string) => number;
  listen: (backlog: number) => number;
  connect: (request: Request, name: string) => number;
  open: (fd: number) => number;
  readStart: () => number;
  writeUtf8String: (request: Request, text: string, handle?: object) => number;
  ref: () => void;
  unref: () => void;
};
type Request = { oncomplete?: (status: number) => void };
type Bindings = {
  readonly pipe: {
    readonly Pipe: new (type: number) => PipeHandle;
    readonly PipeConnectWrap: new () => Request;
    readonly constants: { readonly SERVER: number; readonly IPC: number };
  };
  readonly WriteWrap: new () => Request;
};

/** What the kernel takes into a pipe before anything is read: 278 on Linux, by net.core.wmem_default. */
const maxPendingDuplicates = 200;

const pipes: { readonly pipe: Promise<DuplicatorPipe | undefined>; users: number }[] = [];

/** What copies handles for one listening socket; undefined where this Node cannot. */
export async function handleDuplicator(): Promise<HandleDuplicator | undefined> {
  let place = pipes.find(({ users }) => users < maxPendingDuplicates);
  if (place === undefined) pipes.push((place = { pipe: openPipe(), users: 0 }));
  const { pipe } = place;
  place.users += 1;
  const release = (): void => {
    place.users -= 1;
  };
  const open = await pipe;
  if (open !== undefined)
    return { duplicate: (server, onCopied) => open.duplicate(server, onCopied), release };
  pipes.splice(0); // the next one may succeed
  return undefined;
}

class DuplicatorPipe {
  readonly #sending: PipeHandle;
  readonly #receiving: PipeHandle;
  readonly #newRequest: () => Request;
  readonly #waiting: Parameters<HandleDuplicator['duplicate']>[1][] = [];

  constructor(sending: PipeHandle, receiving: PipeHandle, newRequest: () => Request) {
    this.#sending = sending;
    this.#receiving = receiving;
    this.#newRequest = newRequest;
    receiving.readStart();
  }

  /** Begins. @returns false where what is sent does not arrive here: another process was faster to connect. */
  async start(): Promise<boolean> {
    const word = randomUUID();
    const arrived = new Promise<string>((resolve) => {
      this.#receiving.onread = (bytes = new ArrayBuffer()) => {
        resolve(Buffer.from(bytes).toString());
      };
    });
    const status = this.#sending.writeUtf8String(this.#newRequest(), word);
    if (status !== 0 || (await arrived) !== word) return false;
    this.#receiving.onread = () => {
      const handle = this.#receiving.pendingHandle ?? undefined;
      this.#receiving.pendingHandle = null;
      this.#done(this.#waiting[0], handle);
    };
    this.#receiving.unref();
    return true;
  }

  duplicate(server: Server, onCopied: Parameters<HandleDuplicator['duplicate']>[1]): boolean {
    const { _handle: handle } = server as unknown as { _handle: object };
    this.#waiting.push(onCopied);
    this.#receiving.ref();
    const request = this.#newRequest();
    request.oncomplete = (status) => {
      if (status !== 0) this.#done(onCopied, undefined);
    };
    const status = this.#sending.writeUtf8String(request, '.', handle);
    if (status !== 0) process.nextTick(request.oncomplete, status);
    return status === 0 && this.#sending.writeQueueSize === 0;
  }

  /** Handles arrive in the order in which they were sent. */
  #done(
    onCopied: Parameters<HandleDuplicator['duplicate']>[1] | undefined,
    handle: ListenHandle | undefined,
  ): void {
    const index = onCopied === undefined ? -1 : this.#waiting.indexOf(onCopied);
    if (index === -1) return;
    this.#waiting.splice(index, 1);
    if (this.#waiting.length === 0) this.#receiving.unref();
    onCopied?.(handle);
  }
}

/** Both ends of a pipe for handles; it stays for as long as the process. */
async function openPipe(): Promise<DuplicatorPipe | undefined> {
  const bindings = privateBindings();
  if (bindings === undefined) return undefined;
  const { pipe, WriteWrap } = bindings;
  const { Pipe, PipeConnectWrap, constants } = pipe;
  const [server, receiving, sending] = [constants.SERVER, constants.IPC, constants.IPC].map(
    (type) => new Pipe(type),
  ) as [PipeHandle, PipeHandle, PipeHandle];
  const name = `\0realm-${String(process.pid)}-${String(Math.random())}`; // no file: Linux's abstract sockets
  const accepted = new Promise<PipeHandle>((resolve) => {
    server.onconnection = (_, client) => {
      resolve(client);
    };
  });
  const request = new PipeConnectWrap();
  const connected = new Promise<number>((resolve) => {
    request.oncomplete = resolve;
  });
  const status = server.bind(name) || server.listen(1) || receiving.connect(request, name);
  if (status === 0 && (await connected) === 0) {
    const { fd } = await accepted; // whose handle is not one for handles, and stays open with it
    server.close();
    const opened = sending.open(fd);
    const handles = new DuplicatorPipe(sending, receiving, () => new WriteWrap());
    if (opened === 0 && (await handles.start())) return handles;
  }
  for (const handle of [server, receiving, sending]) handle.close();
  return undefined;
}

/** Undefined where Node does not have them as they are known. */
function privateBindings(): Bindings | undefined {
  if (process.platform !== 'linux' || process.versions.node.split('.')[0] !== triedMajor) return undefined;
  const { binding } = process as unknown as { binding?: (name: string) => unknown };
  try {
    const pipe = binding?.('pipe_wrap') as Bindings['pipe'];
    const { WriteWrap } = binding?.('stream_wrap') as Bindings;
    const isComplete = [pipe.Pipe, pipe.PipeConnectWrap, WriteWrap].every(
      (each) => typeof each === 'function',
    );
    return isComplete && hasEveryMethod(pipe.Pipe.prototype as object) ? { pipe, WriteWrap } : undefined;
  } catch {
    return undefined; // not allowed, e.g. under the permission model
  }
}

function hasEveryMethod(prototype: object): boolean {
  const names = 'bind listen connect open readStart writeUtf8String writeQueueSize fd ref unref close';
  return names.split(' ').every((name) => name in prototype);
}

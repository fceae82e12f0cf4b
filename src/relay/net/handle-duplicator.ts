import { randomUUID } from 'node:crypto';
import type { Server } from 'node:net';
import type { DuplicateCallback, HandleDuplicator, ListenHandle } from './channel.ts';
import { triedMajor } from './node-handles.ts';

// The only file that uses Node's private pipes. Node.js cannot duplicate a descriptor, but it can send a handle to
// another process over a pipe, and nothing prevents the other end of that pipe from being in the same process.

/** A pipe as Node has it from libuv. Each function returns 0 or a negative error number. */
type PipeHandle = ListenHandle & {
  readonly fd: number;
  /** Bytes that the kernel has not accepted; includes those whose write failed, until `oncomplete` reports it. */
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

/** How many handles a pipe may hold unread. Linux accepts 278, by net.core.wmem_default. */
const maxPendingDuplicates = 200;

const pipes: { readonly pipe: Promise<DuplicatorPipe | undefined>; users: number }[] = [];

/** A duplicator for one listening socket; undefined if this Node.js cannot duplicate handles. */
export async function handleDuplicator(): Promise<HandleDuplicator | undefined> {
  let shared = pipes.find(({ users }) => users < maxPendingDuplicates);
  if (shared === undefined) pipes.push((shared = { pipe: openPipe(), users: 0 }));
  const { pipe } = shared;
  shared.users += 1;
  const release = (): void => {
    shared.users -= 1;
  };
  const open = await pipe;
  if (open !== undefined)
    return { duplicate: (server, onCopied) => open.duplicate(server, onCopied), release };
  pipes.splice(0); // the next attempt may succeed
  return undefined;
}

/** A pipe from this process to itself: what goes in at one end is a duplicate at the other. */
class DuplicatorPipe {
  readonly #sending: PipeHandle;
  readonly #receiving: PipeHandle;
  readonly #newRequest: () => Request;
  readonly #pending: DuplicateCallback[] = [];

  constructor(sending: PipeHandle, receiving: PipeHandle, newRequest: () => Request) {
    this.#sending = sending;
    this.#receiving = receiving;
    this.#newRequest = newRequest;
    receiving.readStart();
  }

  /** @returns false if what is sent does not arrive here, because another process connected first. */
  async start(): Promise<boolean> {
    const token = randomUUID();
    const arrived = new Promise<string>((resolve) => {
      this.#receiving.onread = (bytes = new ArrayBuffer()) => {
        resolve(Buffer.from(bytes).toString());
      };
    });
    const status = this.#sending.writeUtf8String(this.#newRequest(), token);
    if (status !== 0 || (await arrived) !== token) return false;
    this.#receiving.onread = () => {
      const handle = this.#receiving.pendingHandle ?? undefined;
      this.#receiving.pendingHandle = null;
      this.#done(this.#pending[0], handle);
    };
    this.#receiving.unref();
    return true;
  }

  duplicate(server: Server, onCopied: DuplicateCallback): boolean {
    const { _handle: handle } = server as unknown as { _handle: object };
    this.#pending.push(onCopied);
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
  #done(onCopied: DuplicateCallback | undefined, handle: ListenHandle | undefined): void {
    const index = onCopied === undefined ? -1 : this.#pending.indexOf(onCopied);
    if (index === -1) return;
    this.#pending.splice(index, 1);
    if (this.#pending.length === 0) this.#receiving.unref();
    onCopied?.(handle);
  }
}

/** Opens both ends of a pipe for handles, which stays open as long as the process runs. */
async function openPipe(): Promise<DuplicatorPipe | undefined> {
  const bindings = privateBindings();
  if (bindings === undefined) return undefined;
  const { pipe, WriteWrap } = bindings;
  const { Pipe, PipeConnectWrap, constants } = pipe;
  const [server, receiving, sending] = [constants.SERVER, constants.IPC, constants.IPC].map(
    (type) => new Pipe(type),
  ) as [PipeHandle, PipeHandle, PipeHandle];
  const name = `\0realm-${String(process.pid)}-${String(Math.random())}`; // an abstract socket of Linux: no file
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
    const { fd } = await accepted; // that handle cannot carry handles; it stays open, since it owns the descriptor
    server.close();
    const opened = sending.open(fd);
    const handles = new DuplicatorPipe(sending, receiving, () => new WriteWrap());
    if (opened === 0 && (await handles.start())) return handles;
  }
  for (const handle of [server, receiving, sending]) handle.close();
  return undefined;
}

/** Node's private bindings; undefined if this Node.js does not have them in the form used here. */
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
    return undefined; // not allowed, for example under the permission model
  }
}

function hasEveryMethod(prototype: object): boolean {
  const names = 'bind listen connect open readStart writeUtf8String writeQueueSize fd ref unref close';
  return names.split(' ').every((name) => name in prototype);
}

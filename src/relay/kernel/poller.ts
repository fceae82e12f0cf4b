import { isMainThread } from 'node:worker_threads';
import { constants, uvPollType, uvReadable } from './constants.ts';
import { Descriptor } from './descriptor.ts';
import { checked, KernelMisuseError, KernelUnavailableError } from './errno.ts';
import { library } from './library.ts';
import { PinnedMemory } from './pinned-memory.ts';
import { layouts } from './structs.ts';

const { EPOLL_CLOEXEC, EPOLL_CTL_ADD, EPOLL_CTL_MOD, EPOLL_CTL_DEL } = constants;
const event = layouts.epoll_event;
/** Events that one call of epoll_wait(2) returns at most; the others come with the next turn of the event loop. */
const maxEvents = 256;

/** Receives the events of a descriptor. */
export type Watcher = {
  /** @param events  EPOLLIN, EPOLLOUT, EPOLLERR, EPOLLHUP, EPOLLRDHUP. Must not wait; may close any descriptor. */
  readonly onEvents: (events: number) => void;
};

/** Work that goes on in the next turn of the event loop. */
export type Work = { readonly run: () => void };

/**
 * Watches descriptors: one epoll(7) holds all of them, and one poll handle of libuv watches that. So the event loop makes
 * one callback for up to 256 events.
 *
 * A callback of `node:ffi` runs neither microtasks nor `process.nextTick`: a watcher that starts something asynchronous
 * calls `needsTick`. It keeps the process alive while it watches something.
 *
 * Node.js ends a worker thread that runs out of heap, or that another thread stops, wherever it is: within a callback of
 * `node:ffi` that would end the process. So in a worker thread libuv calls nothing of ours; it only wakes the event loop,
 * and an immediate of each of its turns asks for the events. This costs a microsecond a turn, which the main thread saves.
 */
export class Poller {
  readonly #epoll: Descriptor;
  /** The uv_poll_t, in memory of malloc, since libuv may use it until its close callback. */
  readonly #handle: bigint;
  readonly #onReadable: bigint;
  readonly #events = new PinnedMemory(maxEvents * event.size);
  readonly #control = new PinnedMemory(event.size);
  /** By descriptor number. A number is used again soon; its generation shows which use an event belongs to. */
  readonly #watchers: (Watcher | undefined)[] = [];
  readonly #generations: number[] = [];
  #watched = 0;
  #queue: Work[] = [];
  #isTurnPending = false;
  #isClosed = false;

  /** @throws KernelUnavailableError; the system's error, e.g. EMFILE. */
  constructor() {
    const { epoll_create1: create, errno, uv_handle_size: handleSize, malloc } = library();
    const fd = create(EPOLL_CLOEXEC);
    this.#epoll = new Descriptor(checked('epoll_create1', fd < 0 ? errno() : fd));
    this.#handle = malloc(handleSize(uvPollType));
    this.#onReadable = isMainThread
      ? library().newCallback(() => {
          this.#onEvents();
        })
      : library().noCallback;
    this.#start();
    if (!isMainThread) this.#everyTurn();
  }

  /** How many descriptors it watches. */
  get watched(): number {
    return this.#watched;
  }

  /**
   * Passes the events of `descriptor` to `watcher`, until `forget` or `remove`.
   *
   * @param events  EPOLLIN and others, EPOLLET if each change is to be reported once.
   * @throws KernelMisuseError if it is watched already; the system's error.
   */
  add(descriptor: Descriptor, events: number, watcher: Watcher): void {
    const { fd } = descriptor;
    if (this.#isClosed) throw new KernelMisuseError('the poller is closed');
    if (this.#watchers[fd] !== undefined) throw new KernelMisuseError('the descriptor is watched already');
    this.#generations[fd] = ((this.#generations[fd] ?? 0) + 1) >>> 0;
    this.#setEvents(EPOLL_CTL_ADD, fd, events);
    this.#watchers[fd] = watcher;
    this.#watched += 1;
    if (this.#watched === 1) library().uv_ref(this.#handle);
  }

  /** Changes what is watched of `descriptor`; 0 = nothing but errors. @throws KernelMisuseError if it is not watched. */
  change(descriptor: Descriptor, events: number): void {
    this.#watcherOf(descriptor);
    this.#setEvents(EPOLL_CTL_MOD, descriptor.fd, events);
  }

  /** To be called right before `descriptor` is closed, if it has no duplicate. @throws KernelMisuseError if not watched. */
  forget(descriptor: Descriptor): void {
    this.#watcherOf(descriptor);
    this.#watchers[descriptor.fd] = undefined;
    this.#watched -= 1;
    if (this.#watched === 0) library().uv_unref(this.#handle);
  }

  /** Like `forget`, for a descriptor that stays open, here or elsewhere. */
  remove(descriptor: Descriptor): void {
    this.forget(descriptor);
    this.#setEvents(EPOLL_CTL_DEL, descriptor.fd, 0);
  }

  /** Runs `work` in the next turn of the event loop, after the events that are there by then. */
  later(work: Work): void {
    this.#queue.push(work);
    this.needsTick();
  }

  /** Makes promises and ticks run that a watcher has started. */
  needsTick(): void {
    if (this.#isTurnPending) return;
    this.#isTurnPending = true;
    setImmediate(this.#turn);
  }

  /** Watches nothing any more. Resolves once libuv has let go: only then may this thread end. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#watchers.length = 0;
    const { promise, resolve } = Promise.withResolvers<undefined>();
    const { newCallback, endCallback, uv_close: closeHandle, free } = library();
    const onClosed = newCallback(() => {
      setImmediate(resolve, undefined); // the promise's reactions need a turn, and the callback has to return first
    });
    closeHandle(this.#handle, onClosed);
    await promise;
    endCallback(onClosed);
    if (isMainThread) endCallback(this.#onReadable);
    free(this.#handle);
    this.#epoll.close();
  }

  #start(): void {
    const { loop, uv_poll_init: init, uv_poll_start: start, uv_unref: unref, keepOffLoopEnd } = library();
    const status =
      init(loop(), this.#handle, this.#epoll.fd) || start(this.#handle, uvReadable, this.#onReadable);
    if (status !== 0) throw new KernelUnavailableError(`libuv does not watch epoll: error ${String(status)}`);
    if (!isMainThread) keepOffLoopEnd(this.#handle);
    unref(this.#handle);
  }

  /** In a worker thread: after whatever woke the event loop. An unreferenced immediate does not keep it from waiting. */
  readonly #everyTurn = (): void => {
    this.#onEvents();
    if (!this.#isClosed) setImmediate(this.#everyTurn).unref();
  };

  #watcherOf(descriptor: Descriptor): Watcher {
    const watcher = this.#watchers[descriptor.fd];
    if (watcher === undefined) throw new KernelMisuseError('the descriptor is not watched');
    return watcher;
  }

  #setEvents(operation: number, fd: number, events: number): void {
    const { epoll_ctl: control, errno } = library();
    const { view } = this.#control;
    view.setUint32(event.offsets.events, events >>> 0, true);
    view.setInt32(event.offsets.data, fd, true);
    view.setUint32(event.offsets.data + 4, this.#generations[fd] ?? 0, true);
    checked('epoll_ctl', control(this.#epoll.fd, operation, fd, this.#control) < 0 ? errno() : 0);
  }

  /** Whatever is thrown is thrown again where Node.js sees it, since libuv cannot pass it on. */
  #onEvents(): void {
    try {
      const { epoll_wait: wait } = library();
      if (this.#isClosed) return;
      const count = wait(this.#epoll.fd, this.#events, maxEvents, 0); // an error, e.g. EINTR, is as good as no event
      for (let i = 0; i < count; i += 1) this.#dispatch(i * event.size);
    } catch (error) {
      setImmediate(() => {
        throw error;
      });
    }
  }

  #dispatch(at: number): void {
    const { view } = this.#events;
    const fd = view.getInt32(at + event.offsets.data, true);
    const generation = view.getUint32(at + event.offsets.data + 4, true);
    if (this.#generations[fd] !== generation) return; // of a descriptor that is closed
    this.#watchers[fd]?.onEvents(view.getUint32(at + event.offsets.events, true));
  }

  readonly #turn = (): void => {
    this.#isTurnPending = false;
    const due = this.#queue;
    this.#queue = [];
    for (const work of due) work.run();
  };
}

import { Socket } from 'node:net';
import { constants } from '../kernel/constants.ts';
import { systemError } from '../kernel/errno.ts';
import { KernelSocket } from '../kernel/kernel-socket.ts';
import type { Watcher } from '../kernel/poller.ts';
import {
  bindToDevice,
  setBindAddressNoPort,
  setIpv6Only,
  setNoDelay,
  setReuseAddress,
} from '../kernel/socket-options.ts';
import type {
  Accepted,
  Address,
  Channel,
  ListeningSocket,
  ListenOptions,
  SocketSettings,
  Target,
  TcpStack,
} from './channel.ts';
import type { ChannelContext } from './channel-input.ts';
import { KernelChannel } from './kernel-channel.ts';
import { applySettings, hasSettings, noSettings, streamOf, unknownSettings } from './kernel-settings.ts';
import { mptcpFaultOfKernel, openTcpSocket } from './kernel-mptcp.ts';
import { LentPipes } from './lent-pipes.ts';
import { asError } from '../../lib/errors.ts';
import { sharedPoller } from './shared-poller.ts';
import { backlog } from './socket-stack.ts';

const { EPOLLIN, EAGAIN } = constants;
/** Clients that a listening socket accepts in one turn of the event loop. */
const maxAccepts = 64;
/** How long a listening socket pauses after an error that concerns no client, such as EMFILE. */
const acceptPauseMs = 100;
/** Errors of clients that have left already. Source: accept(2), "Error handling". */
const ofClient = new Set([
  'EINTR',
  'ECONNABORTED',
  'EPROTO',
  'ENETDOWN',
  'ENOPROTOOPT',
  'EHOSTDOWN',
  'ENONET',
  'EHOSTUNREACH',
  'ENETUNREACH',
]);

/**
 * TCP on system calls.
 *
 * @throws KernelUnavailableError if this process cannot make them.
 */
export function kernelStack(): TcpStack {
  const context: ChannelContext = { poller: sharedPoller(), pipes: new LentPipes() };
  return {
    listen: (options) => Promise.resolve(new KernelListener(context, options)),
    connect: (target, onConnected) => connect(context, target, onConnected),
    adopt: (fd, remote) => new AcceptedClient(context, new KernelSocket(fd), remote, unknownSettings),
    mptcpFault: mptcpFaultOfKernel,
    countDescriptors: (allowance, threads) => {
      context.pipes.limit(allowance, threads);
    },
  };
}

class KernelListener implements ListeningSocket, Watcher {
  readonly canPause = true;
  readonly port: number;
  readonly #context: ChannelContext;
  readonly #options: ListenOptions;
  readonly #socket: KernelSocket;
  /** What its clients have of it; undefined until the first one shows whether the kernel does as Linux does. */
  #inherited: SocketSettings | undefined;
  #isPaused = false;
  #stopTimer: NodeJS.Timeout | undefined;

  /** @throws the system's error. */
  constructor(context: ChannelContext, options: ListenOptions) {
    this.#context = context;
    this.#options = options;
    this.#socket = listening(options);
    this.port = this.#socket.localAddress().port;
    context.poller.add(this.#socket, EPOLLIN, this);
  }

  pause(): void {
    this.#isPaused = true;
    this.#watch();
  }

  resume(): void {
    this.#isPaused = false;
    this.#watch();
  }

  waiting(): Promise<number> {
    return Promise.resolve(this.#socket.waitingClients());
  }

  close(): void {
    this.#isPaused = true;
    clearTimeout(this.#stopTimer);
    this.#context.poller.remove(this.#socket);
    this.#socket.close();
  }

  onEvents(): void {
    this.#context.poller.needsTick();
    for (let i = 0; i < maxAccepts && !this.#isPaused; i += 1) {
      const accepted = this.#socket.accept();
      if (typeof accepted !== 'number') {
        const { socket, remote } = accepted;
        this.#inherited ??= inheritedBy(socket, this.#options);
        this.#options.onAccepted(new AcceptedClient(this.#context, socket, remote, this.#inherited));
      } else if (!this.#mayGoOn(accepted)) return;
    }
  }

  /** @returns whether the next client can be accepted after the error `number`. */
  #mayGoOn(number: number): boolean {
    if (number === -EAGAIN) return false;
    const error = systemError('accept', number);
    if (ofClient.has(error.code ?? '')) return true;
    this.#options.onAcceptError(error);
    this.#stopTimer ??= setTimeout(() => {
      this.#stopTimer = undefined;
      this.#watch();
    }, acceptPauseMs);
    this.#watch();
    return false;
  }

  #watch(): void {
    const isWatching = !this.#isPaused && this.#stopTimer === undefined;
    this.#context.poller.change(this.#socket, isWatching ? EPOLLIN : 0);
  }
}

/** A listening socket. @throws the system's error. */
function listening(options: ListenOptions): KernelSocket {
  const { address, port, ipv6Only, device, mptcp, handle } = options;
  const socket =
    handle === undefined
      ? openTcpSocket(address, mptcp === true ? 'accept_mptcp' : undefined)
      : KernelSocket.duplicate(handle.fd);
  try {
    if (device !== undefined) bindToDevice(socket, device);
    if (handle === undefined) {
      setReuseAddress(socket); // as Node.js does
      if (address.includes(':')) setIpv6Only(socket, ipv6Only);
      socket.bind({ address, port });
    } else handle.close();
    setNoDelay(socket); // its clients have it, too
    applySettings(socket, ofAllClients(options), noSettings);
    socket.listen(backlog);
    return socket;
  } catch (error) {
    socket.close();
    throw error;
  }
}

/**
 * What to set on a listening socket for its clients. Not on one that another process may accept from, for its clients by its
 * configuration, and not with MPTCP, whose sockets have options in several places.
 */
function ofAllClients({ settings = noSettings, handle, mptcp }: ListenOptions): SocketSettings {
  return handle !== undefined || mptcp === true ? noSettings : { ...settings, dscp: 0 };
}

/** What `client`, the first one, has of its listening socket: Linux passes all of it on, a sandbox may not. */
function inheritedBy(client: KernelSocket, options: ListenOptions): SocketSettings {
  const settings = ofAllClients(options);
  if (options.mptcp === true) return settings;
  return options.handle === undefined && hasSettings(client, settings) ? settings : unknownSettings;
}

class AcceptedClient implements Accepted {
  readonly remote: Address;
  readonly #context: ChannelContext;
  readonly #socket: KernelSocket;
  #settings: SocketSettings;

  /** @param settings  what the socket has. */
  constructor(context: ChannelContext, socket: KernelSocket, remote: Address, settings: SocketSettings) {
    this.#context = context;
    this.#socket = socket;
    this.remote = remote;
    this.#settings = settings;
  }

  handOver(): number {
    return this.#socket.release();
  }

  local(): Address {
    return this.#socket.localAddress();
  }

  channel(): Channel {
    return new KernelChannel(this.#context, this.#socket, this.#settings);
  }

  stream(settings: SocketSettings): Socket {
    this.keepAlive(settings);
    return streamOf(this.#socket.release()).pause();
  }

  keepAlive(settings: SocketSettings): void {
    applySettings(this.#socket, settings, this.#settings);
    this.#settings = settings;
  }

  isGone(): boolean {
    return this.#socket.takeError() !== 0;
  }

  reset(): void {
    this.#socket.reset();
  }
}

function connect(
  context: ChannelContext,
  target: Target,
  onConnected: (error: Error | undefined) => void,
): Channel {
  let socket: KernelSocket | undefined;
  try {
    socket = openTcpSocket(target.address, target.mptcp === true ? 'send_mptcp' : undefined);
    setNoDelay(socket);
    if (target.device !== undefined) bindToDevice(socket, target.device);
    if (target.from !== undefined) bindSource(socket, target.from);
    target.onOpened?.(socket.fd);
    const status = socket.connect(target);
    if (status !== 0) throw systemError('connect', status, { address: target.address, port: target.port });
    const channel = new KernelChannel(context, socket, noSettings);
    channel.awaitConnect(target, onConnected);
    return channel;
  } catch (error) {
    socket?.close();
    return failedChannel(context, asError(error), onConnected);
  }
}

/** @throws the system's error, e.g. EADDRNOTAVAIL. */
function bindSource(socket: KernelSocket, from: Address): void {
  setReuseAddress(socket);
  if (from.port === 0) setBindAddressNoPort(socket);
  socket.bind(from);
}

/** A channel that never connects: `error` is reported later, unless it is closed before. */
function failedChannel(context: ChannelContext, error: Error, onConnected: (error: Error) => void): Channel {
  let isOpen = true;
  const close = (): void => {
    isOpen = false;
  };
  const nothing = (): void => undefined;
  const unknown = { address: '', port: 0 };
  context.poller.later({
    run: () => {
      if (isOpen) onConnected(error);
    },
  });
  return {
    open: nothing,
    resume: nothing,
    write: () => false,
    stream: () => new Socket().destroy(),
    end: nothing,
    close,
    reset: close,
    probe: nothing,
    waitingBytes: 0,
    local: () => unknown,
    remote: () => unknown,
  };
}

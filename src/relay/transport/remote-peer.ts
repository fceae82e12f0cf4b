import type { Socket } from 'node:net';
import { asError } from '../../lib/errors.ts';
import type { OwnSocket } from '../limits/own-sockets.ts';
import type { SocketSettings, Target, TcpStack } from '../net/channel.ts';
import { reset } from '../net/reset.ts';
import { quiet, type Layers } from './layers.ts';

/** One side of a connection: its socket, and the layers on it, from the handshake on. */
export type Peer = { readonly raw: Socket; layers: Layers };

/** A remote that is dialled; its side is there once it is connected. */
export type RemotePeer = OwnSocket & {
  peer: Peer | undefined;
  readonly close: () => void;
  /** Closes with a reset, so that the remote does not take what it has for all. */
  readonly reset: () => void;
};

/** How to connect to a remote through its transports. */
export type RemotePeerOptions = {
  readonly tcp: Pick<TcpStack, 'connect'>;
  readonly settings: SocketSettings;
  /** The PROXY header that goes before the handshake; undefined = none. */
  readonly header: Buffer | undefined;
  /** Does the handshake. */
  readonly request: (raw: Socket) => Promise<Layers>;
};

/** Connects and does the handshake, as a `Dial` requires: a remote that fails in either is followed by the next one. */
export function connectRemotePeer(
  target: Target,
  onConnected: (error: Error | undefined) => void,
  { tcp, settings, header, request }: RemotePeerOptions,
): RemotePeer {
  let report = onConnected;
  const requested = async (peer: Peer): Promise<undefined> => {
    if (header !== undefined) peer.raw.write(header);
    peer.layers = await request(peer.raw);
  };
  const channel = tcp.connect(target, (error) => {
    if (error !== undefined) {
      report(error);
      return;
    }
    remote.peer = bare(quiet(channel.stream(settings)));
    void requested(remote.peer)
      .catch(asError)
      .then((fault) => {
        report(fault);
      });
  });
  const remote: RemotePeer = {
    peer: undefined,
    local: () => {
      const { localAddress: address = '', localPort: port = 0 } = remote.peer?.raw ?? {};
      return remote.peer === undefined ? channel.local() : { address, port };
    },
    close: () => {
      report = () => undefined;
      if (remote.peer === undefined) channel.close();
      else remote.peer.raw.destroy();
    },
    reset: () => {
      report = () => undefined;
      if (remote.peer === undefined) channel.reset();
      else reset(remote.peer.raw, remote.peer.layers.all);
    },
  };
  return remote;
}

/** A side before its handshake. */
export function bare(raw: Socket): Peer {
  return { raw, layers: { all: [raw], top: raw } };
}

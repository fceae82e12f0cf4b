import type { ListenRequest, OpenListener } from '../listener/listener.ts';
import type { BoundHandle } from './bound-socket.ts';
import type { ListenParams, SocketId } from './messages.ts';

/** An open listening socket, kept for workers that start later. */
export type SharedSocket<Owner> = ListenRequest & {
  readonly id: SocketId;
  /** TCP: the bound socket that all workers listen on. */
  readonly bound?: BoundHandle;
  /** UDP: the slot of the one worker that binds it. */
  readonly owner?: Owner;
};

/** An open listening socket with its number. */
export type SharedOpenSocket = OpenListener & { readonly id: SocketId };

/** The part of a shared socket that a worker needs. */
export function listenParams({ id, spec, address, endpoint }: SharedSocket<unknown>): ListenParams {
  return { id, spec, address, endpoint };
}

import type { ListenRequest, OpenListener } from '../listener/listener.ts';
import type { BoundHandle } from './bound-socket.ts';
import type { Calls, SocketId } from './messages.ts';

/** An open socket as every worker that comes later gets it, too. */
export type SharedSocket<Owner> = Omit<ListenRequest, 'onLost'> & {
  readonly id: SocketId;
  readonly onLost: ListenRequest['onLost'];
  /** TCP: what all workers listen with. */
  readonly bound?: BoundHandle;
  /** UDP: whose worker binds it. */
  readonly owner?: Owner;
};

/** An open socket that is known by its number. */
export type SharedOpenSocket = OpenListener & { readonly id: SocketId };

/** The parameters of a worker's `listen` for it. */
export function listenParams({
  id,
  spec,
  address,
  endpoint,
}: SharedSocket<unknown>): Calls['listen']['params'] {
  return { id, spec, address, endpoint };
}

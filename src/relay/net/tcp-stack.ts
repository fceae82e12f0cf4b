import type { Logger } from '../../telemetry/logger.ts';
import type { TcpStack } from './channel.ts';
import { handleStack } from './handle-stack.ts';
import { findHandles, type Handles } from './node-handles.ts';
import { socketStack } from './socket-stack.ts';

/** The cheapest TCP stack that this Node.js supports; logs a warning if that is not the fast one. */
export function tcpStack(log: Logger, find: () => Handles | undefined = findHandles): TcpStack {
  const handles = find();
  if (handles !== undefined) return handleStack(handles);
  log.warn(
    { node: process.versions.node },
    'fast TCP path not available on this Node.js, connections cost twice the CPU',
  );
  return socketStack;
}

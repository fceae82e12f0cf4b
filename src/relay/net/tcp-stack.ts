import type { Logger } from '../../telemetry/logger.ts';
import type { TcpStack } from './channel.ts';
import { handleStack } from './handle-stack.ts';
import { findHandles, type Handles } from './node-handles.ts';
import { socketStack } from './socket-stack.ts';

/** The cheapest way to do TCP that this Node.js has; where that is not the cheapest known, the log tells. */
export function tcpStack(log: Logger, find: () => Handles | undefined = findHandles): TcpStack {
  const handles = find();
  if (handles !== undefined) return handleStack(handles);
  log.warn({ node: process.versions.node }, 'this Node.js has no fast path, connections cost twice the CPU');
  return socketStack;
}

import { errorCode } from '../../lib/errors.ts';
import type { Logger } from '../../telemetry/logger.ts';
import type { TcpStack } from './channel.ts';
import { kernelStack } from './kernel-stack.ts';
import { socketStack } from './socket-stack.ts';

/** The cheapest TCP stack that this process supports; logs a warning if that is not the fast one. */
export function tcpStack(log: Logger): TcpStack {
  try {
    return kernelStack();
  } catch (err) {
    if (errorCode(err) === '') throw err;
    log.warn({ err }, 'system calls not available, connections cost twice the CPU');
    return socketStack;
  }
}

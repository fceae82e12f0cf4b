import type { EngineChoice, EngineName } from '../../config/engine.ts';
import type { Logger } from '../../telemetry/logger.ts';
import { KernelUnavailableError } from '../kernel/errno.ts';
import { selfTest } from '../kernel/self-test.ts';
import type { TcpStack } from './channel.ts';
import type { UdpStack } from './datagrams.ts';
import { kernelDatagrams } from './kernel-datagrams.ts';
import { kernelStack } from './kernel-stack.ts';
import { socketDatagrams } from './socket-datagrams.ts';
import { socketStack } from './socket-stack.ts';
import type { UdpThread } from './udp-threads.ts';

/** What moves the bytes of a relay. */
export type Engine = {
  readonly name: EngineName;
  readonly tcp: TcpStack;
  readonly udp: UdpStack;
  /** UDP with further threads that receive; absent if the engine cannot do that. */
  readonly udpOver?: (threads: readonly UdpThread[]) => UdpStack;
};

/** The engine `name`, which has been tried. */
function engineNamed(name: EngineName): Engine {
  if (name !== 'kernel') return nodeEngine;
  return { name, tcp: kernelStack(), udp: kernelDatagrams(), udpOver: kernelDatagrams };
}

/** The engine that runs everywhere. */
export const nodeEngine: Engine = { name: 'node', tcp: socketStack, udp: socketDatagrams };

/**
 * The engine to use. `auto` tries the kernel's, and logs why if that does not work here.
 *
 * @throws KernelUnavailableError if `choice` is `kernel` and that does not work here.
 */
export async function chooseEngine(choice: EngineChoice, log: Logger): Promise<Engine> {
  if (choice === 'node') return nodeEngine;
  try {
    await selfTest();
    return engineNamed('kernel');
  } catch (error) {
    if (choice === 'kernel' || !(error instanceof KernelUnavailableError)) throw error;
    log.warn({ problem: error.message }, 'kernel engine not available, using node, which takes more CPU');
    return nodeEngine;
  }
}

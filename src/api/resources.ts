import type { Resources } from './relay.ts';
import { maxServicePorts } from './schema/endpoint.ts';

/** What the memory budget of the relay program goes with; a user who sets either alone gets just that. */
const memoryDefaults = { limits: { memory: '256Mi' }, requests: { memory: '64Mi' } };

/** The same for more ports than a Service can have: each costs 12 KB, so 32,768 some 400 MB. */
const largeMemoryDefaults = { limits: { memory: '1Gi' }, requests: { memory: '256Mi' } };

/**
 * `resources`, with the default request and limit of memory if they name no memory.
 *
 * @param ports  how many pairs of port and protocol the relay listens on.
 */
export function withMemory({ limits, requests }: Resources, ports: number): Resources {
  if ('memory' in limits || 'memory' in requests) return { limits, requests };
  const memoryOf = ports > maxServicePorts ? largeMemoryDefaults : memoryDefaults;
  return {
    limits: { ...memoryOf.limits, ...limits },
    requests: { ...memoryOf.requests, ...requests },
  };
}

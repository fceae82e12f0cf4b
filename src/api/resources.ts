import type { Resources } from './relay.ts';

/** What the memory budget of the relay program goes with; a user who sets either alone gets just that. */
const memoryDefaults = { limits: { memory: '256Mi' }, requests: { memory: '64Mi' } };

/** `resources`, with the default request and limit of memory if they name no memory. */
export function withMemory({ limits, requests }: Resources): Resources {
  if ('memory' in limits || 'memory' in requests) return { limits, requests };
  return {
    limits: { ...memoryDefaults.limits, ...limits },
    requests: { ...memoryDefaults.requests, ...requests },
  };
}

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from '../support/eventually.ts';

/** The folder of the CRDs of the Gateway API, which `make cluster` fetches. */
export const gatewayCrds = join(import.meta.dirname, 'bin', 'gateway-crds');

/** Whether they are there. */
export const hasGatewayCrds = existsSync(gatewayCrds);

/**
 * Waits until every CRD of a cluster is served. For a moment a new one has no conditions, which `kubectl wait` reports as an error.
 *
 * @param kubectl  runs it with arguments; rejects if it fails.
 */
export async function crdsServed(kubectl: (args: readonly string[]) => Promise<unknown>): Promise<void> {
  await eventually('every CRD is served', async () => {
    await kubectl(['wait', '--for=condition=Established', 'crd', '--all', '--timeout=30s']);
    return true;
  });
}

import { eventually } from '../support/eventually.ts';
import type { Edge } from './edge.ts';

/** A write that admission is to refuse; it is sent as a dry run. */
export type Probe = {
  readonly method: string;
  /** As in `Edge.write`, without a query. */
  readonly object: string;
  readonly body?: unknown;
  readonly contentType?: string;
};

/** Creates an object of `resource`. */
export function creation(resource: string, body: unknown): Probe {
  return { method: 'POST', object: resource, body, contentType: 'application/json' };
}

/**
 * Resolves once the API server refuses `probe` with a text that includes `message`. It takes a moment to notice policies,
 * quotas and labels of namespaces; what it is sent earlier, it accepts.
 */
export async function refusedWith(edge: Edge, probe: Probe, message: string): Promise<void> {
  const { method, object, body, contentType } = probe;
  await eventually(`${method} ${object} is refused: ${message}`, async () => {
    const answer = await edge
      .write(method, `${object}?dryRun=All`, body, contentType)
      .catch((error: unknown) => String(error));
    return typeof answer === 'string' && answer.includes(message);
  });
}

import { join } from 'node:path';
import { runOrThrow } from './run.ts';

/**
 * Creates the certificates and kubeconfigs of a cluster in `folder`/pki.
 *
 * @param server  URL of the API server.
 * @param addresses  IP addresses of the node, besides loopback.
 */
export async function makePki(
  folder: string,
  server: string,
  addresses: readonly string[] = [],
): Promise<void> {
  const script = join(import.meta.dirname, 'pki.sh');
  await runOrThrow([script, join(folder, 'pki'), 'node1', ...addresses], { env: { SERVER: server } });
}

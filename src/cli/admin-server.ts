import { socketAddressText } from '../config/address.ts';
import { systemClock } from '../lib/clock.ts';
import { errorCode, RealmError } from '../lib/errors.ts';
import { portOwner } from '../relay/listener/port-owner.ts';
import {
  HealthServerError,
  startHealthServer,
  type HealthServer,
  type HealthServerAddress,
  type Routes,
} from '../telemetry/health-server.ts';

/** The port of the admin server is taken. */
class AdminPortError extends RealmError {
  readonly code = 'REALM_ADMIN_PORT';
}

/**
 * Starts the admin server of a command with the flag `--admin`.
 *
 * @throws AdminPortError if its port is taken; it names the process that has it, and the remedy.
 * @throws HealthServerError if the address cannot be bound for another reason.
 */
export async function startAdminServer(address: HealthServerAddress, routes: Routes): Promise<HealthServer> {
  try {
    return await startHealthServer(address, routes, systemClock);
  } catch (error) {
    if (!(error instanceof HealthServerError) || errorCode(error.cause) !== 'EADDRINUSE') throw error;
    const owner = await portOwner('TCP', address);
    const holder = owner === undefined ? 'another process' : `${owner.name} (process ${String(owner.pid)})`;
    throw new AdminPortError(
      `the admin server cannot listen on ${socketAddressText(address)}, since ${holder} does: end that one, or choose another address with --admin ADDRESS:PORT, or --admin off`,
    );
  }
}

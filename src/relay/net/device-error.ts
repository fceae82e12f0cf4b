import { RealmError } from '../../lib/errors.ts';

/** Node.js has no function to bind a socket to a network interface. */
export class DeviceError extends RealmError {
  readonly code = 'REALM_ENGINE_DEVICE';

  constructor(device: string) {
    super(
      `cannot bind to the interface ${device} with the engine node: use --engine kernel, or remove the interface`,
    );
  }
}

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { binaries } from './binaries.ts';
import { type ControlPlane, startControlPlane } from './control-plane.ts';

const crds = join(import.meta.dirname, '..', '..', 'crds', 'realmrelays.yaml');

let starting: Promise<ControlPlane> | undefined;

/**
 * The control plane that all tests of a mocha run share, with our CRD; the first caller starts it. Each test uses its own
 * namespace (`namespace()`).
 */
function sharedControlPlane(): Promise<ControlPlane> {
  starting ??= startControlPlane({ manifests: existsSync(crds) ? [crds] : [] });
  return starting;
}

// This runs while mocha loads the test files, so it is a hook of the whole run: after the very last test.
after('stop the shared control plane', async () => {
  const controlPlane = await starting?.catch(() => undefined);
  await controlPlane?.stop();
});

/**
 * A suite that needs an API server. If none can run, its tests are pending and its title states the reason.
 *
 * @param body  receives a function that returns the shared control plane, which is ready once a test or a hook runs.
 */
export function describeWithCluster(title: string, body: (cluster: () => ControlPlane) => void): void {
  const programs = binaries();
  if (typeof programs === 'string') {
    describe.skip(`${title} (skipped: ${programs})`, () => {
      body(() => {
        throw new Error(programs);
      });
    });
    return;
  }
  describe(title, () => {
    let controlPlane: ControlPlane | undefined;
    before('start the shared control plane', async () => {
      controlPlane = await sharedControlPlane();
    });
    body(() => {
      if (controlPlane === undefined) throw new Error('used outside of a test and its hooks');
      return controlPlane;
    });
  });
}

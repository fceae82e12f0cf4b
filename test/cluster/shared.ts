import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { binaries } from './binaries.ts';
import { type ControlPlane, startControlPlane } from './control-plane.ts';

const crds = join(import.meta.dirname, '..', '..', 'crds', 'realmrelays.yaml');

let starting: Promise<ControlPlane> | undefined;

/**
 * The control plane that all tests of a mocha run share, with our CRD in it; the first caller starts it. A test
 * keeps to a namespace of its own (`namespace()`).
 */
function sharedControlPlane(): Promise<ControlPlane> {
  starting ??= startControlPlane({ manifests: existsSync(crds) ? [crds] : [] });
  return starting;
}

// Read while mocha loads the test files, so this is a hook of the whole run: after the last test of all.
after('stop the shared control plane', async () => {
  const controlPlane = await starting?.catch(() => undefined);
  await controlPlane?.stop();
});

/**
 * A suite that needs an API server. Where none can run, its tests are pending and its title says why.
 *
 * @param body  gets the way to the shared control plane, which is up once a test or a hook runs.
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

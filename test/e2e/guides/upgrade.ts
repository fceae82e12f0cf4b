import { join } from 'node:path';
import { eventually } from '../../support/eventually.ts';
import type { Guide } from './guide.ts';
import type { Servers } from './servers.ts';

const root = join(import.meta.dirname, '..', '..', '..');
const relay = 'relay';
const namespace = '--namespace realm-operator-system';

/** An installation that is upgraded and removed, and a relay on this host. */
export const upgradeScene = {
  needs: {},
  start: startRelay,
  variables: (servers: Servers) => ({ PID: String(servers.pid(relay)) }),
  // No registry can be reached from here.
  substitutes: {
    'oci://ghcr.io/realm-operator/charts/realm-operator --version NEW': 'charts/realm-operator',
  },
  events: {
    'a new process serves': async (servers: Servers): Promise<void> => {
      const [, successor] = await eventually('the successor', () => {
        return /"successor":([0-9]+)/.exec(servers.output(relay)) ?? undefined;
      });
      process.kill(Number(successor), 'SIGTERM'); // it does not end with its predecessor, which the test ends
    },
    'the operator is installed by manifests': async (_servers: Servers, guide: Guide): Promise<void> => {
      await guide.type(`helm uninstall realm-operator --wait ${namespace}`);
      await guide.type('kubectl delete crd realmrelays.realm-operator.dev');
      await guide.type(
        'kubectl kustomize config >install.yaml && kubectl apply --server-side -f install.yaml',
      );
    },
    'the operator is installed by Helm': async (_servers: Servers, guide: Guide): Promise<void> => {
      const install = 'helm install realm-operator charts/realm-operator --create-namespace --wait';
      await guide.type(`${install} ${namespace}`);
    },
  },
};

async function startRelay(servers: Servers): Promise<void> {
  const program = join(root, 'dist', 'realm-operator.js');
  const flags = ['-l', '[::]:9000', '-r', '192.0.2.80:8080', '--admin', 'off'];
  servers.start(relay, [process.execPath, program, 'relay', ...flags]);
  await eventually('the relay started', () => servers.output(relay).includes('relay started'));
}

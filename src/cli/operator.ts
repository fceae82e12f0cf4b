import { hostname } from 'node:os';
import { adminPort } from '../api/schema.ts';
import { defaultRelayImage } from '../desired/relay-image.ts';
import { kubeConfigLoader } from '../kube/kube-config.ts';
import { systemClock } from '../lib/clock.ts';
import { logLevels, type LogLevel } from '../lib/log-level.ts';
import { stopSignals } from '../lib/shutdown.ts';
import { version } from '../lib/version.ts';
import { startOperator } from '../operator/operator.ts';
import { operatorRoutes } from '../operator/routes.ts';
import { startHealthServer } from '../telemetry/health-server.ts';
import { createLogger } from '../telemetry/logger.ts';
import { createRegistry } from '../telemetry/metrics.ts';
import { adminAddress, parseOptions, UsageError, type Command } from './command.ts';

const defaultAdmin = `127.0.0.1:${String(adminPort)}`;

export const usage = `Usage: realm-operator operator [options]

The controller: makes the cluster match its RealmRelays. Finds the cluster by --kubeconfig, KUBECONFIG, ~/.kube/config, or the
service account of the Pod that it runs in, in this order.

      --kubeconfig FILE    the cluster and the credentials
      --namespace NAME     look after this namespace alone; may be repeated (default: all)
      --relay-image IMAGE  image of relays that name none (default ${defaultRelayImage})
      --admin ADDRESS      where /livez, /readyz and /metrics are served (default ${defaultAdmin})
      --log-level LEVEL    ${logLevels.join(', ')} (default info)

Exits with 0 after SIGTERM or SIGINT.
`;

/** `realm-operator operator`: the controller. */
export const operator: Command = async (argv, { signals: source }) => {
  const options = parseOptions(argv, {
    kubeconfig: { type: 'string' },
    namespace: { type: 'string', multiple: true, default: [] },
    'relay-image': { type: 'string', default: defaultRelayImage },
    admin: { type: 'string', default: defaultAdmin },
    'log-level': { type: 'string', default: 'info' },
  });
  const address = adminAddress(options.admin);
  const log = createLogger(logLevel(options['log-level']));
  const registry = createRegistry();
  const signals = stopSignals(source);
  const running = startOperator({
    kubeConfig: kubeConfigLoader(options.kubeconfig === undefined ? {} : { file: options.kubeconfig }),
    relayImage: options['relay-image'],
    namespaces: options.namespace,
    instance: hostname(),
    log,
    clock: systemClock,
    registry,
  });
  const admin = address && (await startHealthServer(address, operatorRoutes(running, registry)));
  log.info({ version, admin: admin?.url ?? 'off', relayImage: options['relay-image'] }, 'operator started');
  log.info({ signal: await signals.first }, 'operator stopping');
  await running.stop();
  await admin?.close();
  signals.release();
  return 0;
};

function logLevel(text: string): LogLevel {
  const level = logLevels.find((known) => known === text);
  if (level === undefined) throw new UsageError(`--log-level: "${text}" is none of ${logLevels.join(', ')}`);
  return level;
}

import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { adminPort } from '../api/schema/realm-relay.ts';
import { defaultOperatorNamespace } from '../desired/platform.ts';
import { defaultRelayImage } from '../desired/relay-image.ts';
import { kubeConfigLoader, ownNamespace } from '../kube/kube-config.ts';
import type { LeaseTerms } from '../kube/lease.ts';
import { systemClock } from '../lib/clock.ts';
import { logLevels, type LogLevel } from '../lib/log-level.ts';
import { stopSignals } from '../lib/shutdown.ts';
import { version } from '../lib/version.ts';
import { startOperator } from '../operator/operator.ts';
import { operatorRoutes } from '../operator/routes.ts';
import { startHealthServer } from '../telemetry/health-server.ts';
import { createLogger } from '../telemetry/logger.ts';
import { logOutput } from '../telemetry/log-outputs.ts';
import { createRegistry } from '../telemetry/metrics.ts';
import { adminAddress, parseOptions, type Command } from './command.ts';
import { defaultDenied, deniedDestinations } from './denied-destinations.ts';
import { relayEngine } from './relay-engine.ts';
import { UsageError } from '../lib/usage-error.ts';

const defaultLeaseSeconds = 15;
const defaultAdmin = `127.0.0.1:${String(adminPort)}`;

export const usage = `Usage: realm-operator operator [options]

Runs the controller, which makes the cluster match its RealmRelays. The cluster is taken from --kubeconfig, KUBECONFIG,
~/.kube/config, or the service account of the Pod, in this order.

      --kubeconfig FILE    kubeconfig with the cluster and the credentials
      --namespace NAME     watch only this namespace; may be repeated (default: all)
      --leader-elect       work only while holding a lease, so that several operators may run: one leads, the others stand by
      --lease-namespace NAME  namespace of the lease "realm-operator" (default: the namespace of the Pod)
      --lease-seconds N    how long others wait before they take the lease from a silent leader, 5 to 300 (default ${String(defaultLeaseSeconds)});
                           the leader renews it five times in that time
      --relay-image IMAGE  image for relays that do not set one (default ${defaultRelayImage})
      --relay-engine NAME  what moves the bytes of relays: kernel, node or auto (default auto)
      --denied-destinations LIST
                           addresses and ranges, separated by commas, that no relay may dial; '' for none (default
                           ${defaultDenied})
      --admin ADDRESS      where /livez, /readyz and /metrics are served, or off (default ${defaultAdmin})
      --log-level LEVEL    ${logLevels.join(', ')} (default info)

Exit code: 0 after SIGTERM or SIGINT, 1 after losing the lease, 2 wrong usage.
`;

/** `realm-operator operator`: runs the controller. */
export const operator: Command = async (argv, { signals: source }) => {
  const options = parseOptions(argv, {
    kubeconfig: { type: 'string' },
    namespace: { type: 'string', multiple: true, default: [] },
    'leader-elect': { type: 'boolean', default: false },
    'lease-namespace': { type: 'string' },
    'lease-seconds': { type: 'string', default: String(defaultLeaseSeconds) },
    'relay-image': { type: 'string', default: defaultRelayImage },
    'relay-engine': { type: 'string', default: 'auto' },
    'denied-destinations': { type: 'string', default: defaultDenied },
    admin: { type: 'string', default: defaultAdmin },
    'log-level': { type: 'string', default: 'info' },
  });
  const address = adminAddress(options.admin);
  const output = logOutput();
  const log = createLogger(logLevel(options['log-level']), output);
  const registry = createRegistry();
  const signals = stopSignals(source);
  const running = startOperator({
    kubeConfig: kubeConfigLoader(options.kubeconfig === undefined ? {} : { file: options.kubeconfig }),
    platform: {
      relayImage: options['relay-image'],
      operatorNamespace: ownNamespace() ?? defaultOperatorNamespace,
      relayEngine: relayEngine(options['relay-engine']),
      deniedDestinations: deniedDestinations(options['denied-destinations']),
    },
    namespaces: options.namespace,
    instance: hostname(),
    ...(options['leader-elect']
      ? { lease: lease(options['lease-namespace'], options['lease-seconds']) }
      : {}),
    log,
    logLinesDropped: () => output.droppedLines,
    clock: systemClock,
    registry,
  });
  const routes = operatorRoutes(running.isReady, registry, systemClock);
  const admin = address && (await startHealthServer(address, routes, systemClock));
  log.info({ version, admin: admin?.url ?? 'off', relayImage: options['relay-image'] }, 'operator started');
  const signal = await Promise.race([signals.first, running.lost]);
  log.info({ signal }, 'operator stopping');
  await running.stop();
  await admin?.close();
  signals.release();
  return signal === undefined ? 1 : 0;
};

function lease(namespace = ownNamespace(), seconds: string): LeaseTerms {
  if (namespace === undefined)
    throw new UsageError('--leader-elect: outside a cluster, give a namespace with --lease-namespace');
  const durationMs = Number(seconds) * 1000;
  if (!/^\d+$/.test(seconds) || durationMs < 5_000 || durationMs > 300_000)
    throw new UsageError(`--lease-seconds: "${seconds}" is not a whole number from 5 to 300`);
  const identity = `${hostname()}-${randomBytes(4).toString('hex')}`;
  return { namespace, name: 'realm-operator', identity, durationMs };
}

function logLevel(text: string): LogLevel {
  const level = logLevels.find((known) => known === text);
  if (level === undefined)
    throw new UsageError(`--log-level: "${text}" is not a log level: use ${logLevels.join(', ')}`);
  return level;
}

import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { adminPort } from '../api/schema/realm-relay.ts';
import { defaultOperatorNamespace } from '../desired/platform.ts';
import { defaultRelayImage } from '../desired/relay-image.ts';
import { kubeConfigLoader, ownNamespace } from '../kube/kube-config.ts';
import type { LeaseTerms } from '../kube/lease.ts';
import { systemClock } from '../lib/clock.ts';
import { logLevels } from '../lib/log-level.ts';
import { stopSignals } from '../lib/shutdown.ts';
import { version } from '../lib/version.ts';
import { startOperator } from '../operator/operator.ts';
import { operatorRoutes } from '../operator/routes.ts';
import { startHealthServer, type HealthServer } from '../telemetry/health-server.ts';
import { createLogger, reopenLogAtHangup } from '../telemetry/logger.ts';
import { openedLogOutput } from '../telemetry/log-outputs.ts';
import { createRegistry } from '../telemetry/metrics.ts';
import { UsageError } from '../lib/usage-error.ts';
import type { Command } from './command.ts';
import {
  adminAddress,
  defaultDenied,
  deniedDestinations,
  filePath,
  logLevel,
  namespaceName,
  namespaceNames,
  numberBetween,
  relayDefaults,
  relayEngine,
  relayImage,
} from './flag-values.ts';
import { parseOptions } from './options.ts';

const leaseName = 'realm-operator';
const defaultLeaseSeconds = 15;
const defaultAdmin = `127.0.0.1:${String(adminPort)}`;

export const usage = `Usage: realm-operator operator [options]

Runs the controller, which makes the cluster match its RealmRelays. The cluster is taken from --kubeconfig, KUBECONFIG,
~/.kube/config, or the service account of the Pod, in this order.

      --kubeconfig FILE    kubeconfig with the cluster and the credentials
      --namespace NAME     watch only this namespace; several are separated by commas, or by repeating the flag (default: all)
      --leader-elect       work only while holding a lease, so that several operators may run: one leads, the others stand by
      --lease-namespace NAME  namespace of the lease "realm-operator" (default: the namespace of the Pod)
      --lease-seconds N    how long others wait before they take the lease from a silent leader, 5 to 300 (default ${String(defaultLeaseSeconds)});
                           the leader renews it five times in that time
      --relay-image IMAGE  image for relays that do not set one (default: that of the operator's own Pod; outside a cluster
                           ${defaultRelayImage})
      --relay-engine NAME  what moves the bytes of relays: kernel, node or auto (default auto)
      --relay-defaults YAML
                           resources and podTemplate, as in the spec of a RealmRelay, for relays that leave them out
      --omit-user-ids      let the cluster assign user and group of relay Pods, as OpenShift's restricted-v2 does
      --no-gateway-api     leave Gateways and their routes alone; else they are served once the Gateway API is installed
      --denied-destinations LIST
                           addresses and ranges, separated by commas, that no relay may dial; '' for none (default
                           ${defaultDenied})
      --admin ADDRESS      where /livez, /readyz and /metrics are served, or off (default ${defaultAdmin})
      --log-level LEVEL    ${logLevels.join(', ')} (default info)
      --log-output FILE    stdout, stderr or a file, which SIGHUP opens again for its rotation (default stdout)

An operator leaves RealmRelays to another installation that serves them and runs: one with another lease namespace, in
another namespace, or outside a cluster on another host. It takes them over within a minute of the end of that one.

SIGTERM and SIGINT let what is under way end, for at most 15 seconds; a second one ends it at once.

Exit code: 0 after SIGTERM or SIGINT, 1 after losing the lease, 2 wrong usage.
`;

/** `realm-operator operator`: runs the controller. */
export const operator: Command = async (argv, { signals: source }) => {
  const { address, level, logOutput, ...options } = operatorFlags(argv);
  const output = await openedLogOutput(logOutput);
  const log = createLogger(level, output);
  const registry = createRegistry();
  const signals = stopSignals(source);
  const stopReopening = reopenLogAtHangup(source, output, log);
  const running = startOperator({
    ...options,
    instance: hostname(),
    log,
    logLinesDropped: () => output.droppedLines,
    clock: systemClock,
    registry,
  });
  const routes = operatorRoutes(running, registry, systemClock);
  let admin: HealthServer | undefined;
  try {
    admin = address && (await startHealthServer(address, routes, systemClock));
    log.info({ version, admin: admin?.url ?? 'off' }, 'operator started');
    const signal = await Promise.race([signals.first, running.lost]);
    log.info({ signal }, 'operator stopping');
    return signal === undefined ? 1 : 0;
  } finally {
    await Promise.race([running.stop(), signals.second]);
    await admin?.close();
    signals.release();
    stopReopening();
  }
};

/** Every flag is checked before anything starts. */
function operatorFlags(argv: readonly string[]) {
  const { values } = parseOptions(argv, {
    kubeconfig: { type: 'string' },
    namespace: { type: 'string', multiple: true, default: [] },
    'leader-elect': { type: 'boolean', default: false },
    'lease-namespace': { type: 'string' },
    'lease-seconds': { type: 'string', default: String(defaultLeaseSeconds) },
    'relay-image': { type: 'string' },
    'relay-engine': { type: 'string', default: 'auto' },
    'relay-defaults': { type: 'string', default: '{}' },
    'omit-user-ids': { type: 'boolean', default: false },
    'no-gateway-api': { type: 'boolean', default: false },
    'denied-destinations': { type: 'string', default: defaultDenied },
    admin: { type: 'string', default: defaultAdmin },
    'log-level': { type: 'string', default: 'info' },
    'log-output': { type: 'string', default: 'stdout' },
  });
  const { kubeconfig, namespace, 'lease-namespace': given, 'relay-image': image } = values;
  const home = ownNamespace();
  const leaseNamespace = given === undefined ? home : namespaceName('--lease-namespace', given);
  const seconds = numberBetween('--lease-seconds', values['lease-seconds'], [5, 300]);
  return {
    address: adminAddress(values.admin),
    level: logLevel(values['log-level']),
    logOutput: filePath('--log-output', values['log-output']),
    kubeConfig: kubeConfigLoader(
      kubeconfig === undefined ? {} : { file: filePath('--kubeconfig', kubeconfig) },
    ),
    platform: {
      relayImage: image === undefined ? defaultRelayImage : relayImage(image),
      relayEngine: relayEngine(values['relay-engine']),
      operatorNamespace: home ?? defaultOperatorNamespace,
      deniedDestinations: deniedDestinations(values['denied-destinations']),
      relayDefaults: relayDefaults(values['relay-defaults']),
      omitUserIds: values['omit-user-ids'],
    },
    ...(image === undefined && home !== undefined && { ownPod: { namespace: home, name: hostname() } }),
    gatewayApi: !values['no-gateway-api'],
    namespaces: namespaceNames(namespace),
    ...installation(values['leader-elect'] ? lease(leaseNamespace, seconds) : undefined, home),
  };
}

/** Replicas behind one lease are one installation, and so are the versions of an operator in its namespace. */
function installation(
  lease: LeaseTerms | undefined,
  home: string | undefined,
): { readonly installation: string; readonly lease?: LeaseTerms } {
  if (lease !== undefined) return { installation: `${lease.namespace}/${lease.name}`, lease };
  return { installation: home === undefined ? hostname() : `${home}/${leaseName}` };
}

function lease(namespace: string | undefined, seconds: number): LeaseTerms {
  if (namespace === undefined)
    throw new UsageError('--leader-elect: outside a cluster, give a namespace with --lease-namespace');
  const identity = `${hostname()}-${randomBytes(4).toString('hex')}`;
  return { namespace, name: leaseName, identity, durationMs: seconds * 1000 };
}

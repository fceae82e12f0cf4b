import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { defaultOperatorNamespace } from '../desired/platform.ts';
import { defaultRelayImage } from '../desired/relay-image.ts';
import { kubeConfigLoader, ownNamespace } from '../kube/kube-config.ts';
import type { LeaseTerms } from '../kube/lease.ts';
import { systemClock } from '../lib/clock.ts';
import { stopSignals } from '../lib/shutdown.ts';
import { version } from '../lib/version.ts';
import { startOperator } from '../operator/operator.ts';
import { operatorRoutes } from '../operator/routes.ts';
import type { HealthServer } from '../telemetry/health-server.ts';
import { createLogger, reopenLogAtHangup } from '../telemetry/logger.ts';
import { openedLogOutput } from '../telemetry/log-outputs.ts';
import { createRegistry } from '../telemetry/metrics.ts';
import { UsageError } from '../lib/usage-error.ts';
import { startAdminServer } from './admin-server.ts';
import type { Command } from './command.ts';
import { operatorOptions } from './command-options.ts';
import {
  adminAddress,
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

/** `realm-operator operator`: runs the controller. */
export const operator: Command = async (argv, { signals: source }) => {
  const { address, level, logOutput, ...options } = operatorFlags(argv);
  const output = await openedLogOutput(logOutput);
  const log = createLogger(level, output);
  const registry = createRegistry();
  const signals = stopSignals(source);
  reopenLogAtHangup(source, output, log);
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
    admin = address && (await startAdminServer(address, routes));
    log.info({ version, admin: admin?.url ?? 'off' }, 'operator started');
    const signal = await Promise.race([signals.first, running.lost]);
    log.info({ signal }, 'operator stopping');
    return signal === undefined ? 1 : 0;
  } finally {
    await Promise.race([running.stop(), signals.second]);
    await admin?.close();
  }
};

/** Every flag is checked before anything starts. */
function operatorFlags(argv: readonly string[]) {
  const { values } = parseOptions(argv, operatorOptions);
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

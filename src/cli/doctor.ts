import { parseIpAddress } from '../lib/ip-address.ts';
import type { Relay } from '../api/relay.ts';
import { adminAddress, clusterScope } from './flag-values.ts';
import { ClusterRelays } from './cluster-relays.ts';
import type { Command, Io } from './command.ts';
import { doctorOptions } from './command-options.ts';
import { checksText, type Check } from './doctor/check.ts';
import { clusterChecks } from './doctor/cluster.ts';
import { hostChecks, nameCheck } from './doctor/host.ts';
import { portCheck, portChecks } from './doctor/ports.ts';
import { counts, findingsText } from './findings.ts';
import { ManifestReader } from './manifest-files.ts';
import { anyNumber } from './manifest-flags.ts';
import { manifestsOf } from './manifests.ts';
import { parseOptions } from './options.ts';

type Flags = ReturnType<typeof parsed>['values'];

/** `realm-operator doctor`: finds out why relays do not work, on this machine or in a cluster. */
export const doctor: Command = async (argv, io) => {
  const { values, positionals } = parsed(argv);
  const checks = values.cluster
    ? await inCluster(values, positionals)
    : await onHost(values, positionals, io);
  if (checks === undefined) return 1;
  io.stdout.write(values.json ? `${JSON.stringify({ checks }, undefined, 2)}\n` : checksText(checks));
  return checks.some(({ severity }) => severity === 'problem') ? 1 : 0;
};

function parsed(argv: readonly string[]) {
  return parseOptions(argv, doctorOptions, anyNumber);
}

async function inCluster(flags: Flags, names: readonly string[]): Promise<Check[]> {
  const cluster = new ClusterRelays(clusterScope(flags, names));
  try {
    return await clusterChecks(cluster);
  } finally {
    await cluster.close();
  }
}

/** @returns undefined if the manifests at `paths` are not valid, which is reported. */
async function onHost({ admin }: Flags, paths: readonly string[], io: Io): Promise<Check[] | undefined> {
  const reader = new ManifestReader({ paths, kustomizations: [], isRecursive: false }, io.stdin);
  const { relays, findings, skipped } = manifestsOf(await reader.files(), { isHost: true });
  const report = { findings, relays: relays.length, skipped };
  if (findings.length > 0) io.stderr.write(findingsText(report, 'text'));
  if (counts(report).errors > 0) return undefined;
  const ofHost = await hostChecks();
  const checks = [...ofHost, ...(await adminChecks(admin))];
  for (const relay of relays) checks.push(...(await portChecks(relay)));
  return [...checks, ...(await Promise.all(remoteNames(relays).map(nameCheck)))];
}

async function adminChecks(text: string): Promise<Check[]> {
  const { ip, port } = adminAddress(text) ?? {};
  if (ip === undefined || port === undefined) return [];
  const check = await portCheck({ protocol: 'TCP', ip, port, ipv6Only: false });
  const remedy = 'end it, or choose another address with --admin';
  const own = { ...check, subject: `${check.subject} of the admin server` };
  return [check.severity === 'ok' ? own : { ...own, remedy }];
}

/** The host names of the remotes, each once. */
function remoteNames(relays: readonly Relay[]): string[] {
  const hosts = relays.flatMap(({ endpoints }) =>
    endpoints.flatMap(({ remotes }) => remotes.map(({ address }) => address)),
  );
  return [...new Set(hosts)].filter((host) => parseIpAddress(host) === undefined);
}

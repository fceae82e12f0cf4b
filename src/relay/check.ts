import { configFindings } from '../config/config-findings.ts';
import type { ParsedConfig } from '../config/parsed-config.ts';
import { systemClock } from '../lib/clock.ts';
import { counted } from '../lib/counted.ts';
import { machineNames } from '../lib/own-addresses.ts';
import { problemText } from '../lib/problem.ts';
import { createLogger } from '../telemetry/logger.ts';
import { advice, adviceText, mptcpProblems } from './advice.ts';
import type { RelayFlags } from './command-line/flags.ts';
import { NameResolver } from './dns/resolver.ts';
import { withListenAddresses } from './listener/listen-names.ts';
import { chooseEngine } from './net/engine.ts';
import { transportProblems } from './transport/transports.ts';

/** How long the names of `listen` may take altogether. */
const lookupMs = 5000;

/**
 * Prints what is wrong with a configuration, and what is probably not meant, without running it. Names of `listen` are looked
 * up as for a bind.
 *
 * @returns the exit code: 1 if something is wrong. @throws KernelUnavailableError if `--engine kernel` does not work here.
 */
export async function checkConfig(
  { admin, engine: choice }: RelayFlags,
  { config, warnings }: ParsedConfig,
  { stdout, stderr }: Readonly<Record<'stdout' | 'stderr', { write: (text: string) => unknown }>>,
): Promise<number> {
  const log = createLogger('off', { write: () => undefined });
  const engine = await chooseEngine(choice, log);
  for (const each of advice(config, engine, 'Realm')) stderr.write(`warning: ${adviceText(each)}\n`);
  for (const warning of warnings) stderr.write(`${warning.source}: warning: ${problemText(warning)}\n`);
  const resolver = new NameResolver({ clock: systemClock, log });
  resolver.configure(config.dns);
  const listening = await withListenAddresses(
    config.endpoints,
    resolver.lookup,
    AbortSignal.timeout(lookupMs),
  );
  const surroundings = { own: machineNames(), admin, writtenAs: 'Realm' } as const;
  const found = configFindings(listening.endpoints, surroundings);
  for (const warning of [...listening.warnings, ...found.warnings]) stderr.write(`warning: ${warning}\n`);
  const files = await transportProblems(config.endpoints, { clock: systemClock, log });
  const mptcp = mptcpProblems(config, engine.tcp).map(adviceText);
  const problems = [...found.problems, ...files, ...mptcp];
  for (const problem of problems) stderr.write(`${problem}\n`);
  if (problems.length > 0) return 1;
  stdout.write(`valid, ${counted(config.endpoints.length, 'endpoint')}\n`);
  return 0;
}

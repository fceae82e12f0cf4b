import { parseEngineChoice, type EngineChoice } from '../config/engine.ts';
import { parseRelayDefaults, type RelayDefaults } from '../api/relay-defaults.ts';
import { ipRanges, listenAddress, remoteAddress } from '../config/address-rules.ts';
import type { SocketAddress } from '../config/address.ts';
import { oneOf, wholeNumber, type Rule } from '../lib/document-rules.ts';
import { isImageReference } from '../lib/image-reference.ts';
import { logLevels, type LogLevel } from '../lib/log-level.ts';
import { problemText } from '../lib/problem.ts';
import { UsageError } from '../lib/usage-error.ts';
import type { ClusterScope } from './cluster-relays.ts';
import { flagValue } from './options.ts';
import { yamlDocuments } from './yaml-documents.ts';

/**
 * Parses the value of `--denied-destinations`: addresses and ranges, separated by commas; '' = none.
 *
 * @throws UsageError
 */
export function deniedDestinations(text: string): readonly string[] {
  return text === '' ? [] : flagValue('--denied-destinations', text.split(','), ipRanges);
}

/**
 * Parses the value of `--admin`: the address of the admin server.
 *
 * @returns undefined for `off`.
 * @throws UsageError
 */
export function adminAddress(text: string): SocketAddress | undefined {
  return text === 'off' ? undefined : flagValue('--admin', text, adminRule);
}

const adminRule: Rule<SocketAddress> = (value, path, findings) => {
  const before = findings.problems.length;
  const address = listenAddress(value, path, findings);
  for (const problem of findings.problems.splice(before))
    findings.problems.push({ ...problem, remedy: `${problem.remedy}, or off` });
  return address;
};

/**
 * Parses a value of `--admin` of a command that asks an admin server: its address, or its URL.
 *
 * @returns the URL, without a slash at its end.
 * @throws UsageError
 */
export function adminUrl(text: string): string {
  return flagValue('--admin', text, text.includes('://') ? urlRule : dialedRule).replace(/\/$/, '');
}

const dialedRule: Rule<string> = (value, path, findings) =>
  remoteAddress(value, path, findings) && `http://${String(value)}`;

const urlRule: Rule<string> = (value, path, findings) => {
  if (/^http:/.test(String(value)) && URL.canParse(String(value))) return String(value);
  const remedy = 'write ADDRESS:PORT or http://ADDRESS:PORT';
  findings.problems.push({ path, what: 'is no URL of HTTP', value, remedy });
  return undefined;
};

/** The flags that choose RealmRelays of a cluster, as parsed. */
type ScopeFlags = {
  readonly kubeconfig?: string | undefined;
  readonly namespace?: string | undefined;
  readonly 'all-namespaces': boolean;
};

/**
 * Which RealmRelays of a cluster the flags choose.
 *
 * @param names  the RealmRelays; [] = all.
 * @throws UsageError
 */
export function clusterScope(flags: ScopeFlags, names: readonly string[]): ClusterScope {
  const { kubeconfig, namespace } = flags;
  return {
    kubeconfig: kubeconfig === undefined ? undefined : filePath('--kubeconfig', kubeconfig),
    namespace: namespace === undefined ? undefined : namespaceName('--namespace', namespace),
    isAllNamespaces: flags['all-namespaces'],
    names,
  };
}

/**
 * Parses the values of `--namespace`: names, several in one value separated by commas.
 *
 * @returns each name once.
 * @throws UsageError
 */
export function namespaceNames(texts: readonly string[]): string[] {
  const names = texts.flatMap((text) => text.split(','));
  return [...new Set(names.map((name) => flagValue('--namespace', name, watchedNamespace)))];
}

const watchedNamespace = namespaceRule(
  ', several separated by commas, or leave the flag out for all namespaces',
);

/**
 * Checks the value of a flag that names one namespace.
 *
 * @param flag  with its dashes.
 * @throws UsageError
 */
export function namespaceName(flag: string, text: string): string {
  return flagValue(flag, text, namespaceRule(''));
}

/** A DNS label. Source: RFC 1123; Kubernetes, "Object Names and IDs". */
function namespaceRule(more: string): Rule<string> {
  const remedy = `use lower-case letters, digits and "-" inside, at most 63 characters${more}`;
  return matching(/^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/, {
    what: 'is not the name of a namespace',
    remedy,
  });
}

/**
 * Checks the value of `--relay-image`.
 *
 * @throws UsageError
 */
export function relayImage(text: string): string {
  return flagValue('--relay-image', text, imageRule);
}

const imageRule: Rule<string> = (value, path, findings) => {
  if (typeof value === 'string' && isImageReference(value)) return value;
  const remedy = 'use a reference such as registry.example/realm-operator:1.2.3, without a scheme';
  findings.problems.push({ path, what: 'is not the reference of an image', value, remedy });
  return undefined;
};

/**
 * Parses the value of `--relay-defaults`: YAML or JSON.
 *
 * @throws UsageError that names every problem.
 */
export function relayDefaults(text: string): RelayDefaults {
  const { defaults, problems } = parseRelayDefaults(yamlValue('--relay-defaults', text));
  if (defaults !== undefined) return defaults;
  throw new UsageError(problems.map((problem) => `--relay-defaults: ${problemText(problem)}`).join('\n'));
}

function yamlValue(flag: string, text: string): unknown {
  const [document] = yamlDocuments(text);
  const [placed] = document?.problems ?? [];
  if (placed === undefined) return document?.value;
  throw new UsageError(`${flag}: ${placed.problem.what}: ${placed.problem.remedy}`);
}

/**
 * Parses the value of a flag with a whole number, in decimal digits.
 *
 * @param flag  with its dashes.
 * @throws UsageError
 */
export function numberBetween(flag: string, text: string, [min, max]: readonly [number, number]): number {
  const value = /^[0-9]{1,10}$/.test(text) ? Number(text) : text;
  return flagValue(flag, value, wholeNumber(min, max));
}

/**
 * Parses the value of `--log-level`.
 *
 * @throws UsageError
 */
export function logLevel(text: string): LogLevel {
  return flagValue('--log-level', text, oneOf(logLevels));
}

/**
 * Checks the value of a flag that names a file.
 *
 * @param flag  with its dashes.
 * @throws UsageError
 */
export function filePath(flag: string, text: string): string {
  return flagValue(
    flag,
    text,
    matching(/^[^\0]+$/, { what: 'is not the path of a file', remedy: 'give a path' }),
  );
}

function matching(pattern: RegExp, { what, remedy }: { what: string; remedy: string }): Rule<string> {
  return (value, path, findings) => {
    if (typeof value === 'string' && pattern.test(value)) return value;
    findings.problems.push({ path, what, value, remedy });
    return undefined;
  };
}

/** Parses the value of `--relay-engine`. @throws UsageError */
export function relayEngine(word: string): EngineChoice {
  const choice = parseEngineChoice(word);
  if (typeof choice === 'string') return choice;
  throw new UsageError(`--relay-engine: ${choice.fault}`);
}

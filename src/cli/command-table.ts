/**
 * Every command of `realm-operator`: one table for its help, the list of commands, suggestions for misspelt words, and shell
 * completion. It loads nothing of what the commands do.
 */

import { adminPort } from '../api/schema/realm-relay.ts';
import { engineChoices } from '../config/engine.ts';
import { defaultDeniedDestinations, defaultOperatorNamespace } from '../desired/platform.ts';
import { defaultRelayImage } from '../desired/relay-image.ts';
import { logLevels } from '../lib/log-level.ts';
import { ownValue } from '../lib/record.ts';
import { helpText, shownFlagTable } from '../relay/command-line/flag-table.ts';
import { findingFormats } from './findings.ts';
import { sourceFormats } from './import/formats.ts';
import { usageText, type CommandText, type Option, type Options } from './usage.ts';

/** The default of `--denied-destinations`. */
const defaultDenied = defaultDeniedDestinations.join(',');
const defaultAdmin = `127.0.0.1:${String(adminPort)}`;
const exitOfManifests = 'Exit code: 0 success, 1 a manifest is not valid';

/** Where manifests are read from. */
const manifestOptions = {
  filename: {
    type: 'string',
    short: 'f',
    multiple: true,
    default: [],
    value: 'PATH',
    isPath: true,
    help: 'the same as the argument PATH, as in kubectl; may be repeated',
  },
  recursive: {
    type: 'boolean',
    short: 'R',
    default: false,
    help: 'also read the folders inside folders',
  },
  kustomize: {
    type: 'string',
    short: 'k',
    multiple: true,
    default: [],
    value: 'DIR',
    isPath: true,
    help: 'a folder that kustomize builds, by the program kustomize or kubectl; may be repeated',
  },
} satisfies Options;

const quiet = {
  type: 'boolean',
  short: 'q',
  default: false,
  help: 'print problems and warnings alone',
} satisfies Option;

const output = {
  type: 'string',
  short: 'o',
  default: 'text',
  value: 'FORMAT',
  words: findingFormats,
  help: 'how problems are printed: text, json, sarif (2.1.0), or github (annotations of a workflow); default text',
} satisfies Option;

const pathsText = `PATH is a file, a folder (its .yaml, .yml and .json files) or - for standard input. Lists are unwrapped; objects of other
kinds are skipped.`;

export const validateOptions = {
  ...manifestOptions,
  strict: { type: 'boolean', default: false, help: 'fail on warnings, too' },
  output,
  quiet,
} satisfies Options;

/** What the operator, and no RealmRelay, decides about rendering. */
const platformOptions = {
  'relay-engine': {
    type: 'string',
    default: 'auto',
    value: 'NAME',
    words: engineChoices,
    help: 'what moves the bytes of relays: kernel, node or auto (default auto)',
  },
  'relay-defaults': {
    type: 'string',
    default: '{}',
    value: 'YAML',
    help: 'resources and podTemplate, as in the spec of a RealmRelay, for relays that leave them out',
  },
  'omit-user-ids': {
    type: 'boolean',
    default: false,
    help: "let the cluster assign user and group of relay Pods, as OpenShift's restricted-v2 does",
  },
  'no-gateway-api': {
    type: 'boolean',
    default: false,
    help: 'leave Gateways and their routes alone; else they are served once the Gateway API is installed',
  },
  'denied-destinations': {
    type: 'string',
    default: defaultDenied,
    value: 'LIST',
    help: `addresses and ranges, separated by commas, that no relay may dial; '' for none (default ${defaultDenied})`,
  },
} satisfies Options;

export const renderOptions = {
  ...manifestOptions,
  'relay-image': {
    type: 'string',
    default: defaultRelayImage,
    value: 'IMAGE',
    help: `image for relays that do not set one (default ${defaultRelayImage})`,
  },
  'operator-namespace': {
    type: 'string',
    default: defaultOperatorNamespace,
    value: 'NAME',
    help: `where the operator runs, which a NetworkPolicy admits (default ${defaultOperatorNamespace})`,
  },
  ...platformOptions,
  output: {
    ...output,
    help: 'how problems are printed, on standard error: text, json, sarif or github; with json, the objects are a List in JSON; default text',
  },
  quiet,
} satisfies Options;

const logOutput = {
  type: 'string',
  value: 'FILE',
  isPath: true,
  help: 'stdout, stderr or a file, which SIGHUP opens again for its rotation',
} satisfies Option;

const admin = {
  type: 'string',
  default: defaultAdmin,
  value: 'ADDRESS',
  help: `where /livez, /readyz, /status and /metrics are served, or off (default ${defaultAdmin})`,
} satisfies Option;

export const standaloneOptions = {
  ...manifestOptions,
  admin,
  'log-output': { ...logOutput, default: 'stderr', help: `${logOutput.help} (default stderr)` },
  output: { ...output, help: `${output.help}; problems are on standard error` },
  quiet: { ...quiet, help: 'do not show what runs' },
} satisfies Options;

const kubeconfig = {
  type: 'string',
  value: 'FILE',
  isPath: true,
  help: 'kubeconfig with the cluster and the credentials',
} satisfies Option;

export const importOptions = {
  from: {
    type: 'string',
    default: 'auto',
    value: 'PROGRAM',
    words: sourceFormats,
    help: 'whose configuration it is: realm, haproxy, nginx, gost or rinetd; default auto: as it looks',
  },
  name: {
    type: 'string',
    value: 'NAME',
    help: 'name of the RealmRelay (default: from the file name)',
  },
  namespace: {
    type: 'string',
    short: 'n',
    value: 'NAME',
    help: 'namespace of the RealmRelay (default: none, so that kubectl chooses)',
  },
} satisfies Options;

export const operatorOptions = {
  kubeconfig,
  namespace: {
    type: 'string',
    multiple: true,
    default: [],
    value: 'NAME',
    help: 'watch only this namespace; several are separated by commas, or by repeating the flag (default: all)',
  },
  'leader-elect': {
    type: 'boolean',
    default: false,
    help: 'work only while holding a lease, so that several operators may run: one leads, the others stand by',
  },
  'lease-namespace': {
    type: 'string',
    value: 'NAME',
    help: 'namespace of the lease "realm-operator" (default: the namespace of the Pod)',
  },
  'lease-seconds': {
    type: 'string',
    default: '15',
    value: 'N',
    help: 'how long others wait before they take the lease from a silent leader, 5 to 300 (default 15); the leader renews it five times in that time',
  },
  'relay-image': {
    type: 'string',
    value: 'IMAGE',
    help: `image for relays that do not set one (default: that of the operator's own Pod; outside a cluster ${defaultRelayImage})`,
  },
  ...platformOptions,
  'no-gateway-api': {
    type: 'boolean',
    default: false,
    help: 'leave Gateways and their routes alone; else they are served once the Gateway API is installed',
  },
  admin: {
    ...admin,
    help: `where /livez, /readyz and /metrics are served, and to this machine a page of all RealmRelays, or off (default ${defaultAdmin})`,
  },
  'log-level': {
    type: 'string',
    default: 'info',
    value: 'LEVEL',
    words: logLevels,
    help: `${logLevels.join(', ')} (default info)`,
  },
  'log-output': { ...logOutput, default: 'stdout', help: `${logOutput.help} (default stdout)` },
} satisfies Options;

/** The shells that completion is written for. */
export const shells = ['bash', 'zsh', 'fish'] as const;

/** Every command, in the order of the list. */
export const commandTable = {
  operator: {
    summary: 'run the controller, in the cluster or with a kubeconfig',
    synopsis: '[options]',
    about: `Runs the controller, which makes the cluster match its RealmRelays. The cluster is taken from --kubeconfig, KUBECONFIG,
~/.kube/config, or the service account of the Pod, in this order.`,
    options: operatorOptions,
    notes: `An operator leaves RealmRelays to another installation that serves them and runs: one with another lease namespace, in
another namespace, or outside a cluster on another host. It takes them over within a minute of the end of that one.

SIGTERM and SIGINT let what is under way end, for at most 15 seconds; a second one ends it at once.

Exit code: 0 after SIGTERM or SIGINT, 1 after losing the lease, 2 wrong usage.`,
    operands: 'none',
  },
  relay: {
    summary: 'run the relay program: realm-operator relay -c FILE',
    synopsis: '-c PATH',
    about: 'Relays TCP and UDP. Accepts the configuration and the command line of Realm.',
    options: Object.fromEntries(
      Object.entries(shownFlagTable).map(([name, flag]): [string, Option] => [
        name,
        { type: flag.value === undefined ? 'boolean' : 'string', isPath: flag.value === 'PATH', ...flag },
      ]),
    ),
    notes: '',
    operands: 'paths',
  },
  standalone: {
    summary: 'run RealmRelay manifests on this machine, without a cluster',
    synopsis: 'PATH… [options]',
    about: `Runs RealmRelay manifests on this machine, without a cluster, and applies changes of the files.

${pathsText}`,
    options: standaloneOptions,
    notes: `Standard output shows what runs. A change that is not valid is reported and has no effect.
SIGHUP reads the manifests at once. SIGUSR2 hands the ports to a new process of the installed version, without a lost connection.
Ctrl-C drains connections for spec.drainSeconds; pressing it again ends them at once.
Exit code: 0 success, 1 the manifests are not valid at the start or no endpoint could be bound, 2 wrong usage.`,
    operands: 'paths',
  },
  validate: {
    summary: 'check RealmRelay manifests',
    synopsis: 'PATH… [options]',
    about: `Checks RealmRelay manifests and prints every problem as "file:line:column: field: problem, value: remedy". What it accepts,
kubectl apply accepts, too. Relays on hostNetwork that need the same ports on the same nodes are a warning.

${pathsText}`,
    options: validateOptions,
    notes: `${exitOfManifests}, 2 wrong usage.`,
    operands: 'paths',
  },
  render: {
    summary: 'print the objects that the operator would apply',
    synopsis: 'PATH… [options]',
    about: `Prints the objects that the operator would apply for RealmRelay manifests, as YAML.

${pathsText}`,
    options: renderOptions,
    notes: `${exitOfManifests} (nothing is printed), 2 wrong usage.`,
    operands: 'paths',
  },
  import: {
    summary: 'convert a configuration of Realm, HAProxy, nginx, gost or rinetd to RealmRelays',
    synopsis: 'PATH [options]',
    about: `Prints the RealmRelay for a Realm configuration: a file in TOML, JSON or the JSON of Realm before 2.0, a folder of
them, or - for standard input; or for the TCP and UDP of one file of HAProxy (listen, frontend), nginx (stream), gost
or rinetd. More ports than a Service can have become several RealmRelays. Standard error lists, with their lines, what a
RealmRelay cannot express, and the Secrets to create from certificate files.`,
    options: importOptions,
    notes: 'Exit code: 0 success, 1 the configuration is not valid (nothing is printed), 2 wrong usage.',
    operands: 'paths',
  },
  completion: {
    summary: 'print the completion of commands and flags for a shell',
    synopsis: shells.join('|'),
    about: `Prints the completion for a shell:

  bash  source <(realm-operator completion bash)
  zsh   source <(realm-operator completion zsh)
  fish  realm-operator completion fish | source`,
    options: {},
    notes: 'Exit code: 0 success, 2 wrong usage.',
    operands: shells,
  },
} satisfies Readonly<Record<string, CommandText>>;

/** The name of a command. */
export type CommandName = keyof typeof commandTable;

/** What `--help` prints of the command `name`, which is in the table. */
export function commandUsage(name: string): string {
  const text = ownValue<CommandText>(commandTable, name);
  if (text === undefined) throw new TypeError(`no command ${name}`);
  return name === 'relay' ? helpText() : usageText(name, text);
}

/** What `realm-operator` prints without a command. */
export function overviewText(): string {
  const rows = Object.entries({
    ...Object.fromEntries(Object.entries(commandTable).map(([name, { summary }]) => [name, summary])),
    version: 'print the version',
  });
  const lines = rows.map(([name, summary]) => `  ${name.padEnd(12)}${summary}`);
  return `Usage: realm-operator COMMAND [options]

${lines.join('\n')}

Run realm-operator COMMAND --help for the options of a command.
`;
}

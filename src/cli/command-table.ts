/**
 * Every command of `realm-operator`: one table for its help, the list of commands, suggestions for misspelt words, and shell
 * completion. It loads nothing of what the commands do.
 */

import { ownValue } from '../lib/record.ts';
import { helpText, shownFlagTable } from '../relay/command-line/flag-table.ts';
import {
  validateOptions,
  renderOptions,
  standaloneOptions,
  importOptions,
  operatorOptions,
  doctorOptions,
  topOptions,
} from './command-options.ts';
import { usageText, type CommandText, type Option } from './usage.ts';

const exitOfManifests = 'Exit code: 0 success, 1 a manifest is not valid';

const pathsText = `PATH is a file, a folder (its .yaml, .yml and .json files) or - for standard input. Lists are unwrapped; objects of other
kinds are skipped. Gateways are judged with the routes, grants, Services, EndpointSlices, parameters and policies of the files.`;

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
    summary: 'run manifests of RealmRelays and Gateways on this machine, without a cluster',
    synopsis: 'PATH… [options]',
    about: `Runs manifests of RealmRelays and Gateways on this machine, without a cluster, and applies changes of the files.

${pathsText}`,
    options: standaloneOptions,
    notes: `Standard output shows what runs. A change that is not valid is reported and has no effect.
SIGHUP reads the manifests at once. SIGUSR2 hands the ports to a new process of the installed version, without a lost connection.
The largest spec.workers at the start is the number of threads that serve.
Ctrl-C drains connections for spec.drainSeconds; pressing it again ends them at once.
Exit code: 0 success, 1 the manifests are not valid at the start or no endpoint could be bound, 2 wrong usage.`,
    operands: 'paths',
  },
  validate: {
    summary: 'check manifests of RealmRelays and Gateways',
    synopsis: 'PATH… [options]',
    about: `Checks manifests of RealmRelays and Gateways, and prints every problem as "file:line:column: field: problem, value: remedy".
What it accepts, kubectl apply accepts, too. Relays on hostNetwork that need the same ports on the same nodes are a warning.

${pathsText}`,
    options: validateOptions,
    notes: `${exitOfManifests}, 2 wrong usage.`,
    operands: 'paths',
  },
  render: {
    summary: 'print the objects that the operator would apply',
    synopsis: 'PATH… [options]',
    about: `Prints the objects that the operator would apply for RealmRelays and Gateways, as YAML.

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
  doctor: {
    summary: 'find out why relays do not work, on this machine or in a cluster',
    synopsis: '[PATH…] [options]\n       realm-operator doctor --cluster [NAME…] [options]',
    about: `On this machine: checks the IP families, settings of the kernel, limits, the engine and DNS, and for the RealmRelay manifests
at PATH whether their ports can be bound, who holds those that cannot, and whether the names of remotes have addresses.

In a cluster: why is a RealmRelay not Ready, from its status, its Pods and their events, and what the relays report.`,
    options: doctorOptions,
    notes: 'Each finding has its remedy. Exit code: 0 no problem, 1 a problem, 2 wrong usage.',
    operands: 'paths',
  },
  top: {
    summary: 'show what relays do: connections, failures, bytes a second',
    synopsis: '[options]\n       realm-operator top --cluster [NAME…] [options]',
    about: `Shows a line for each endpoint of relays, again and again: open TCP connections and UDP associations, waiting clients,
failures, remotes that are down, and bytes a second from clients (IN) and from remotes (OUT). In a cluster, it asks the
Pods of RealmRelays through the API server, which requires the right to get pods/proxy.`,
    options: topOptions,
    notes: 'Ctrl-C ends it. Exit code: 0 success, 1 with --once no relay answers, 2 wrong usage.',
    operands: 'none',
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

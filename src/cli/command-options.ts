/** The flags of the commands, as `parseOptions` and the command table use them. */

import { adminPort } from '../api/schema/endpoint.ts';
import { engineChoices } from '../config/engine.ts';
import { defaultDeniedDestinations, defaultOperatorNamespace } from '../desired/platform.ts';
import { defaultRelayImage } from '../desired/relay-image.ts';
import { logLevels } from '../lib/log-level.ts';
import { findingFormats } from './findings.ts';
import { sourceFormats } from './import/formats.ts';
import type { Option, Options } from './usage.ts';

/** The default of `--denied-destinations`. */
const defaultDenied = defaultDeniedDestinations.join(',');
const defaultAdmin = `127.0.0.1:${String(adminPort)}`;

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

/** Which cluster, and which of its RealmRelays. */
const clusterOptions = {
  cluster: {
    type: 'boolean',
    default: false,
    help: 'look at a cluster, and not at this machine; the default of kubectl realm',
  },
  kubeconfig: { ...kubeconfig, help: `${kubeconfig.help} (default: KUBECONFIG, or ~/.kube/config)` },
  namespace: {
    type: 'string',
    short: 'n',
    value: 'NAME',
    help: 'namespace of the RealmRelays (default: that of the context)',
  },
  'all-namespaces': { type: 'boolean', short: 'A', default: false, help: 'RealmRelays of all namespaces' },
} satisfies Options;

export const doctorOptions = {
  ...clusterOptions,
  admin: { ...admin, help: `address of the admin server of standalone (default ${defaultAdmin})` },
  json: { type: 'boolean', default: false, help: 'print the checks as JSON' },
} satisfies Options;

export const topOptions = {
  ...clusterOptions,
  admin: {
    type: 'string',
    multiple: true,
    default: [],
    value: 'ADDRESS',
    help: `admin server of a relay on this machine; may be repeated (default ${defaultAdmin} and 127.0.0.1:9180)`,
  },
  interval: {
    type: 'string',
    default: '2',
    value: 'S',
    help: 'seconds between two views, 1 to 3600 (default 2)',
  },
  once: { type: 'boolean', default: false, help: 'print one view, without rates, and end' },
} satisfies Options;

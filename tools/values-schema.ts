import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { load } from 'js-yaml';

type Schema = Readonly<Record<string, unknown>>;

const file = join(import.meta.dirname, '..', 'charts', 'realm-operator', 'values.yaml');

const text = { type: 'string' };
const texts = { type: 'object', additionalProperties: text };
const objects = { type: 'array', items: { type: 'object' } };
const quantities = { type: 'object', additionalProperties: { type: ['string', 'number'] } };
const keys = {
  type: 'array',
  uniqueItems: true,
  items: { type: 'string', pattern: '^[A-Za-z0-9][-A-Za-z0-9_./]*$' },
};
const image = { type: 'string', pattern: '^[a-z0-9][-a-z0-9._:/]*$' };
const tag = { type: 'string', pattern: '^([A-Za-z0-9_][-A-Za-z0-9_.]{0,127})?$' };
const digest = { type: 'string', pattern: '^(sha256:[0-9a-f]{64})?$' };
const interval = { type: 'string', pattern: '^([0-9]+(ms|s|m|h))*$' };
const objectName = { type: 'string', maxLength: 54, pattern: '^([a-z]([-a-z0-9]*[a-z0-9])?)?$' };
const namespace = { type: 'string', maxLength: 63, pattern: '^([a-z0-9]([-a-z0-9]*[a-z0-9])?)?$' };
/** Labels that Services and the Deployment select Pods by may not be changed. */
const labels = { ...texts, patternProperties: { '^app\\.kubernetes\\.io/(name|instance)$': false } };

/** Labels that the chart sets on every object. */
const commonLabels = {
  ...texts,
  patternProperties: {
    '^(app\\.kubernetes\\.io/(name|instance|version|managed-by|component)|helm\\.sh/chart)$': false,
  },
};

/** What a value must be, by its path, if its default in values.yaml does not state it. */
const constraints: Readonly<Record<string, Schema>> = {
  'admission.requester.allowedKeyPrefixes': keys,
  'admission.requester.allowedPriorityClasses': keys,
  'admission.requester.allowedTolerations': keys,
  watchNamespaces: {
    type: 'array',
    uniqueItems: true,
    items: { type: 'string', maxLength: 63, pattern: '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$' },
  },
  'gatewayApi.enabled': { type: ['boolean', 'null'] },
  deniedDestinations: {
    type: ['array', 'null'],
    uniqueItems: true,
    items: { type: 'string', pattern: '^[0-9A-Fa-f:.]+(/[0-9]{1,3})?$' },
  },
  relayEngine: { enum: ['auto', 'kernel', 'node'] },
  imageRegistry: { type: 'string', pattern: '^([A-Za-z0-9][-A-Za-z0-9._:/]*[A-Za-z0-9])?$' },
  'relayDefaults.resources': { type: 'object' },
  'relayDefaults.podTemplate': { type: 'object' },
  'image.repository': image,
  'image.tag': tag,
  'image.digest': digest,
  'image.pullPolicy': { enum: ['', 'Always', 'IfNotPresent', 'Never'] },
  'relayImage.repository': image,
  'relayImage.tag': tag,
  'relayImage.digest': digest,
  imagePullSecrets: {
    type: 'array',
    items: {
      type: 'object',
      additionalProperties: false,
      properties: { name: { type: 'string', minLength: 1 } },
      required: ['name'],
    },
  },
  nameOverride: objectName,
  fullnameOverride: objectName,
  replicaCount: { type: 'integer', minimum: 0, maximum: 5 },
  commonLabels,
  extraArgs: { type: 'array', items: { type: 'string', pattern: '^--' } },
  extraEnv: {
    type: 'array',
    items: { type: 'object', properties: { name: { type: 'string', minLength: 1 } }, required: ['name'] },
  },
  volumes: objects,
  volumeMounts: objects,
  podSecurityContext: { type: 'object' },
  securityContext: { type: 'object' },
  logLevel: { enum: ['off', 'error', 'warn', 'info', 'debug', 'trace'] },
  'serviceAccount.name': { type: 'string', maxLength: 253, pattern: '^([a-z0-9]([-a-z0-9.]*[a-z0-9])?)?$' },
  'serviceAccount.annotations': texts,
  'resources.requests': quantities,
  'resources.limits': quantities,
  podLabels: labels,
  podAnnotations: texts,
  nodeSelector: texts,
  tolerations: objects,
  affinity: { type: 'object' },
  topologySpreadConstraints: objects,
  'podDisruptionBudget.maxUnavailable': {
    anyOf: [
      { type: 'integer', minimum: 0 },
      { type: 'string', pattern: '^[0-9]+%$' },
    ],
  },
  'networkPolicy.from': { type: 'array', items: { type: 'object', minProperties: 1 } },
  'metrics.service.annotations': texts,
  'metrics.serviceMonitor.labels': texts,
  'metrics.serviceMonitor.interval': interval,
  'metrics.podMonitor.labels': texts,
  'metrics.podMonitor.interval': interval,
  'metrics.prometheusRule.labels': texts,
  'metrics.prometheusRule.runbookUrl': { type: 'string', pattern: '^https?://' },
  'metrics.grafanaDashboard.labels': texts,
  'metrics.grafanaDashboard.namespace': namespace,
};

/** What groups of values must be, beside their fields. */
const groups: Readonly<Record<string, Schema>> = {
  relayImage: {
    anyOf: [{ properties: { tag: { minLength: 1 } } }, { properties: { digest: { minLength: 1 } } }],
  },
};

/** Values without a default: what Helm adds, and fields of a container. */
const unset: Readonly<Record<string, Schema>> = { global: { type: 'object' }, 'resources.claims': objects };

/** The text of values.schema.json: fields, types and descriptions from values.yaml, and `constraints`. */
export function valuesSchema(): string {
  const yaml = readFileSync(file, 'utf8');
  const schema = objectSchema(load(yaml) as Schema, '', descriptions(yaml));
  const head = {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'Values of the chart realm-operator',
  };
  return `${JSON.stringify({ ...head, ...schema }, null, 2)}\n`;
}

function objectSchema(values: Schema, path: string, comments: ReadonlyMap<string, string>): Schema {
  const more = Object.entries(unset).filter(([key]) => key.slice(0, key.lastIndexOf('.') + 1) === path);
  const fields = Object.entries(values).map(([name, value]) => [
    name,
    described(value, path + name, comments),
  ]);
  const added = more.map(([key, schema]) => [key.slice(path.length), schema]);
  return {
    type: 'object',
    additionalProperties: false,
    properties: Object.fromEntries([...fields, ...added]) as Schema,
    ...groups[path.slice(0, -1)],
  };
}

function described(value: unknown, path: string, comments: ReadonlyMap<string, string>): Schema {
  const description = comments.get(path);
  const schema = constraints[path] ?? inferred(value, path, comments);
  return { ...(description !== undefined && { description }), ...schema };
}

/** @throws Error if the default alone does not state what the value must be. */
function inferred(value: unknown, path: string, comments: ReadonlyMap<string, string>): Schema {
  if (typeof value === 'boolean') return { type: 'boolean' };
  if (typeof value === 'string') return text;
  const isGroup = typeof value === 'object' && value !== null && Object.keys(value).length > 0;
  if (!isGroup || Array.isArray(value)) throw new Error(`values.yaml: ${path} needs an entry in constraints`);
  return objectSchema(value as Schema, `${path}.`, comments);
}

/** The comment above each value, by its path. */
function descriptions(yaml: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  const parents: string[] = [];
  let comment: string[] = [];
  for (const line of yaml.split('\n')) {
    const [, indent = '', note, name] = /^( *)(?:# ?(.*)|(\w+):.*)$/.exec(line) ?? [];
    if (note !== undefined) comment.push(note);
    if (name !== undefined) {
      parents.splice(indent.length / 2, Infinity, name);
      if (comment.length > 0) found.set(parents.join('.'), comment.join(' '));
    }
    if (note === undefined) comment = [];
  }
  return found;
}

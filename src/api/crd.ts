import { z } from 'zod';
import { gatewayParametersSchema, parametersKind, parametersPlural } from './schema/gateway-parameters.ts';
import { apiVersion, group, kind, maxNameLength, plural, specSchema, version } from './schema/realm-relay.ts';
import { statusSchema } from './schema/status.ts';
import {
  policyKind,
  policyPlural,
  trafficPolicySchema,
  trafficPolicyStatusSchema,
} from './schema/traffic-policy.ts';

/** A schema as in a CustomResourceDefinition: OpenAPI 3.0, structural. */
export type StructuralSchema = {
  readonly type?: string;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, StructuralSchema>>;
  readonly additionalProperties?: StructuralSchema;
  readonly items?: StructuralSchema;
  readonly required?: readonly string[];
  readonly enum?: readonly string[];
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly 'x-kubernetes-int-or-string'?: boolean;
};

/** The schema of `spec`. */
export function specStructure(): StructuralSchema {
  return structural(z.toJSONSchema(specSchema, { target: 'openapi-3.0', io: 'input' }));
}

/** The schema of `status`. */
export function statusStructure(): StructuralSchema {
  return structural(z.toJSONSchema(statusSchema, { target: 'openapi-3.0', io: 'input' }));
}

/** The CustomResourceDefinition of RealmRelay. */
export function customResourceDefinition(): object {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      names: { kind, listKind: `${kind}List`, plural, singular: 'realmrelay', shortNames: ['rr'] },
      scope: 'Namespaced',
      versions: [
        {
          name: version,
          served: true,
          storage: true,
          additionalPrinterColumns: printerColumns,
          schema: { openAPIV3Schema: rootSchema() },
          subresources: {
            status: {},
            scale: {
              specReplicasPath: '.spec.replicas',
              statusReplicasPath: '.status.replicas',
              labelSelectorPath: '.status.selector',
            },
          },
        },
      ],
    },
  };
}

/** The CustomResourceDefinition of RealmGatewayParameters, which only users write. */
export function gatewayParametersDefinition(): object {
  const names = {
    kind: parametersKind,
    listKind: `${parametersKind}List`,
    plural: parametersPlural,
    singular: parametersPlural,
  };
  return definition(names, {
    description: `The Pods and the Service of Gateways that refer to it, or whose GatewayClass does (${apiVersion}).`,
    spec: parametersStructure(),
  });
}

/** The CustomResourceDefinition of RealmTrafficPolicy, a direct policy attachment (GEP-713). */
export function trafficPolicyDefinition(): object {
  const ofRefused = (field: string): string =>
    `.status.ancestors[*].conditions[?(@.status=="False")].${field}`;
  const names = {
    kind: policyKind,
    listKind: 'RealmTrafficPolicyList',
    plural: policyPlural,
    singular: 'realmtrafficpolicy',
  };
  const crd = definition(
    names,
    {
      description: `How Gateways, listeners and routes relay (${apiVersion}).`,
      spec: policyStructure(),
      status: policyStatusStructure(),
    },
    // The table shows the first value of each path: the first target, and the first one on which it is not in effect.
    [
      { name: 'Target', type: 'string', jsonPath: '.spec.targetRefs[0].name' },
      {
        name: 'Accepted',
        type: 'string',
        jsonPath: '.status.ancestors[0].conditions[?(@.type=="Accepted")].status',
      },
      { name: 'Problem', type: 'string', jsonPath: ofRefused('reason') },
      { name: 'Message', type: 'string', jsonPath: ofRefused('message'), priority: 1 },
      { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
    ],
  );
  // By this label, tools find the kinds of policies (GEP-713).
  const labels = { 'gateway.networking.k8s.io/policy': 'Direct' };
  return { ...crd, metadata: { ...crd.metadata, labels } };
}

type Names = { readonly kind: string; readonly plural: string };
type Schemas = {
  readonly description: string;
  readonly spec: StructuralSchema;
  readonly status?: StructuralSchema;
};

/** The CustomResourceDefinition of a namespaced kind with these schemas. */
function definition(names: Names, { description, spec, status }: Schemas, columns: readonly object[] = []) {
  const schema = {
    description,
    type: 'object',
    required: ['spec'],
    properties: {
      ...objectFields,
      spec: { ...spec, description: 'What the user wants.' },
      ...(status && { status: { ...status, description: 'What the operator reports.' } }),
    },
  };
  const ofVersion = {
    name: version,
    served: true,
    storage: true,
    ...(columns.length > 0 && { additionalPrinterColumns: columns }),
    schema: { openAPIV3Schema: schema },
    ...(status && { subresources: { status: {} } }),
  };
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${names.plural}.${group}` },
    spec: { group, names, scope: 'Namespaced', versions: [ofVersion] },
  };
}

/** The schema of the spec of RealmTrafficPolicy. */
export function policyStructure(): StructuralSchema {
  return structural(z.toJSONSchema(trafficPolicySchema, { target: 'openapi-3.0', io: 'input' }));
}

/** The schema of the status of RealmTrafficPolicy. */
export function policyStatusStructure(): StructuralSchema {
  return structural(z.toJSONSchema(trafficPolicyStatusSchema, { target: 'openapi-3.0', io: 'input' }));
}

/** The schema of the spec of RealmGatewayParameters. */
export function parametersStructure(): StructuralSchema {
  return structural(z.toJSONSchema(gatewayParametersSchema, { target: 'openapi-3.0', io: 'input' }));
}

/** The fields that every object has. */
const objectFields = {
  apiVersion: { description: 'Version of the schema of this object.', type: 'string' },
  kind: { description: 'Kind of this object.', type: 'string' },
  metadata: { type: 'object' },
};

/** Of what the condition Ready has as `field`. */
const ofReady = (field: string): string => `.status.conditions[?(@.type=="Ready")].${field}`;

/** Those of priority 1 are shown by `-o wide` alone. */
const printerColumns = [
  { name: 'Ready', type: 'string', jsonPath: '.status.readyPods' },
  { name: 'Reason', type: 'string', jsonPath: ofReady('reason') },
  { name: 'Endpoints', type: 'string', jsonPath: '.status.listening' },
  { name: 'Addresses', type: 'string', jsonPath: '.status.addressSummary', priority: 1 },
  { name: 'Message', type: 'string', jsonPath: ofReady('message'), priority: 1 },
  { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
];

/** The only two defaults: `scale` needs one, kstatus the other. More would show as drift in Argo CD. */
function rootSchema(): object {
  const spec = specStructure();
  const replicas = { ...spec.properties?.['replicas'], default: 1 };
  return {
    description: `A relay of TCP and UDP ports, on IPv4 and IPv6, to remote addresses (${apiVersion}).`,
    type: 'object',
    required: ['spec'],
    properties: {
      ...objectFields,
      spec: {
        ...spec,
        description: 'What the user wants.',
        properties: { ...spec.properties, replicas },
      },
      status: {
        ...statusStructure(),
        description: 'What the operator reports.',
        default: { observedGeneration: -1 },
      },
    },
    'x-kubernetes-validations': [
      {
        rule: `self.metadata.name.size() <= ${String(maxNameLength)} && self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')`,
        message: `metadata.name must be of lower-case letters, digits and "-", start with a letter, and have at most ${String(maxNameLength)} characters`,
      },
    ],
  };
}

type JsonSchema = z.core.JSONSchema.BaseSchema;

/**
 * `schema` in the form that Kubernetes accepts.
 *
 * @throws Error if a structural schema cannot express it, so that nothing is lost silently.
 */
function structural(schema: JsonSchema): StructuralSchema {
  if (schema['x-kubernetes-int-or-string'] === true) {
    const { description, pattern } = schema;
    return {
      'x-kubernetes-int-or-string': true,
      ...(description === undefined ? {} : { description }),
      ...(pattern === undefined ? {} : { pattern }),
    };
  }
  for (const word of ['$ref', 'allOf', 'oneOf', 'anyOf', 'not', 'const'] as const) {
    if (schema[word] !== undefined) throw new Error(`${word} is not structural`);
  }
  const { properties, additionalProperties, items, default: _default, $schema: _schema, ...rest } = schema;
  return {
    ...(rest as StructuralSchema),
    ...(schema.type === 'integer' ? integerFormat(schema) : {}),
    ...(properties === undefined ? {} : { properties: structuralFields(properties) }),
    ...(hasFields(additionalProperties) ? { additionalProperties: structural(additionalProperties) } : {}),
    ...(hasFields(items) ? { items: structural(items) } : {}),
  };
}

function structuralFields(fields: Record<string, JsonSchema | boolean>): Record<string, StructuralSchema> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, field]) => {
      if (!hasFields(field)) throw new Error(`${name} has no schema`);
      return [name, structural(field)];
    }),
  );
}

function hasFields(schema: unknown): schema is JsonSchema {
  return typeof schema === 'object' && schema !== null && Object.keys(schema).length > 0;
}

function integerFormat({ maximum }: JsonSchema): { format: string } {
  if (maximum === undefined) throw new Error('an integer without a maximum');
  return { format: maximum < 2 ** 31 ? 'int32' : 'int64' };
}

import {
  parametersStructure,
  policyStatusStructure,
  policyStructure,
  specStructure,
  statusStructure,
  type StructuralSchema,
} from './crd.ts';
import { parametersKind } from './schema/gateway-parameters.ts';
import { apiVersion, kind } from './schema/realm-relay.ts';
import { policyKind } from './schema/traffic-policy.ts';

type Row = { readonly field: string; readonly schema: StructuralSchema; readonly isRequired: boolean };

/** `docs/api.md`: every field of a RealmRelay with its type, bounds and description, as Markdown. */
export function apiReference(): string {
  return `# API reference

Generated from \`src/api/schema/realm-relay.ts\` by \`make generate\`; do not edit.

\`apiVersion: ${apiVersion}\`, \`kind: ${kind}\`, short name \`rr\`. \`kubectl explain realmrelay.spec\` shows the same.
\`[]\` marks the items of a list, \`{}\` the values of a mapping. Fields are optional unless marked with *.

## spec

${table(rows('', specStructure()))}

## status

${table(rows('', statusStructure()))}

# RealmGatewayParameters

Generated from \`src/api/schema/gateway-parameters.ts\`. \`kind: ${parametersKind}\`, in the namespace of the Gateways that refer to it, or in
any that a GatewayClass names: see [Gateway API](gateway-api.md#parameters).

${table(rows('', parametersStructure()))}

# RealmTrafficPolicy

Generated from \`src/api/schema/traffic-policy.ts\`. \`kind: ${policyKind}\`, in the namespace of its targets: see
[Gateway API](gateway-api.md#policies). \`kubectl explain realmtrafficpolicy.spec\` shows the same.

${table(rows('', policyStructure()))}

## Status of a RealmTrafficPolicy

${table(rows('', policyStatusStructure()))}
`;
}

function rows(prefix: string, schema: StructuralSchema): Row[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, field]) => {
    const path = prefix === '' ? name : `${prefix}.${name}`;
    const isRequired = schema.required?.includes(name) ?? false;
    return [{ field: path, schema: field, isRequired }, ...rowsWithin(path, field)];
  });
}

function rowsWithin(path: string, schema: StructuralSchema): Row[] {
  const { items, additionalProperties } = schema;
  if (items !== undefined) return rows(`${path}[]`, items);
  if (additionalProperties !== undefined) return rows(`${path}{}`, additionalProperties);
  return rows(path, schema);
}

function table(all: readonly Row[]): string {
  const lines = all.map(
    ({ field, schema, isRequired }) =>
      `| \`${field}\`${isRequired ? ' *' : ''} | ${typeText(schema)} | ${cell(schema.description ?? '')} |`,
  );
  return ['| field | type | description |', '| --- | --- | --- |', ...lines].join('\n');
}

function typeText(schema: StructuralSchema): string {
  if (schema.enum !== undefined) return schema.enum.map((word) => `\`${word}\``).join(', ');
  if (schema['x-kubernetes-int-or-string'] === true)
    return schema.pattern?.includes('%') === true ? 'integer or percentage' : 'quantity';
  const { items, additionalProperties } = schema;
  if (items !== undefined)
    return `list of ${typeText(items)}${range(schema.minItems, schema.maxItems, ' items')}`;
  if (additionalProperties !== undefined) return `mapping to ${typeText(additionalProperties)}`;
  if (schema.type === 'integer') return `integer${range(schema.minimum, schema.maximum, '')}`;
  return `${schema.type ?? ''}${range(undefined, schema.maxLength, ' characters')}`;
}

function range(min: number | undefined, max: number | undefined, unit: string): string {
  if (max === undefined) return '';
  return min === undefined ? `, at most ${String(max)}${unit}` : `, ${String(min)} to ${String(max)}${unit}`;
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}

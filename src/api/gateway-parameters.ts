import type { Problem } from '../lib/problem.ts';
import { readWith } from '../lib/schema-reader.ts';
import { type GatewayParametersSpec, gatewayParametersObject } from './schema/gateway-parameters.ts';

/**
 * Parses `document`, in the shape of the API.
 *
 * @returns every problem, unknown fields of the spec included; the spec if there is none.
 */
export function parseGatewayParameters(document: unknown): {
  readonly spec?: GatewayParametersSpec;
  readonly problems: readonly Problem[];
} {
  const { value, problems, warnings } = readWith(gatewayParametersObject, document);
  const ofSpec = warnings.filter(({ path }) => path[0] === 'spec');
  if (value === undefined || ofSpec.length > 0) return { problems: [...problems, ...ofSpec] };
  return { spec: value.spec, problems: [] };
}

/** `chosen` over `defaults`, field by field, those of the Service one by one. */
export function parametersOver(
  defaults: GatewayParametersSpec,
  chosen: GatewayParametersSpec,
): GatewayParametersSpec {
  const service = { ...defaults.service, ...chosen.service };
  return { ...defaults, ...chosen, ...(Object.keys(service).length > 0 && { service }) };
}

import { parsedSpec, type ParsedSpec } from './parsed-spec.ts';
import { type GatewayParametersSpec, gatewayParametersObject } from './schema/gateway-parameters.ts';

/** Parses `document`, a RealmGatewayParameters in the shape of the API. */
export function parseGatewayParameters(document: unknown): ParsedSpec<GatewayParametersSpec> {
  return parsedSpec(gatewayParametersObject, document);
}

/** `chosen` over `defaults`, field by field, those of the Service one by one. */
export function parametersOver(
  defaults: GatewayParametersSpec,
  chosen: GatewayParametersSpec,
): GatewayParametersSpec {
  const service = { ...defaults.service, ...chosen.service };
  return { ...defaults, ...chosen, ...(Object.keys(service).length > 0 && { service }) };
}

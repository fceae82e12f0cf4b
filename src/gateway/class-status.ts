import { datedConditions, type Finding } from '../api/dated-conditions.ts';
import type { Condition } from '../api/schema/realm-relay.ts';
import type { Parameters } from './parameters.ts';
import type { GatewayClass } from './types.ts';

/** The features of the Gateway API that are supported, sorted, as the CRD requires. */
const supportedFeatures = [
  'Gateway',
  'ReferenceGrant',
  'TCPRoute',
  'TLSRoute',
  'TLSRouteModeMixed',
  'TLSRouteModeTerminate',
  'UDPRoute',
].map((name) => ({ name }));

/** The part of the status of a GatewayClass that this controller writes. */
export type GatewayClassStatus = {
  readonly conditions: readonly Condition[];
  readonly supportedFeatures: readonly { readonly name: string }[];
};

/**
 * The status of `gatewayClass`. Pure.
 *
 * @param parameters  those that it refers to.
 * @param missing  the kinds that the API server does not have in a version that this operator reads.
 */
export function classStatus(
  { metadata: { generation = 0 }, status }: GatewayClass,
  parameters: Parameters,
  missing: readonly string[],
  now: string,
): GatewayClassStatus {
  const accepted: Finding =
    'spec' in parameters
      ? { type: 'Accepted', status: 'True', reason: 'Accepted', message: 'The operator serves this class.' }
      : {
          type: 'Accepted',
          status: 'False',
          reason: 'InvalidParameters',
          message: parameters.problem,
        };
  const dating = { previous: status?.conditions ?? [], generation, now };
  return { conditions: datedConditions([accepted, version(missing)], dating), supportedFeatures };
}

function version(missing: readonly string[]): Finding {
  const type = 'SupportedVersion';
  if (missing.length === 0)
    return {
      type,
      status: 'True',
      reason: 'SupportedVersion',
      message: 'All kinds are served in a supported version.',
    };
  const message = `The API server serves no supported version of ${missing.join(', ')}: install the CRDs of Gateway API 1.5 or later; those of TCPRoute, TLSRoute and UDPRoute are in its standard channel since 1.6.`;
  return { type, status: 'False', reason: 'UnsupportedVersion', message };
}

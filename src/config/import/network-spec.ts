import type { EndpointSpec } from '../../api/schema/endpoint.ts';
import type { NetworkSpec } from '../../api/schema/realm-relay.ts';
import { differingFields } from '../field-table.ts';
import { healthCheckKeys, type HealthCheckConfig } from '../health-check-keys.ts';
import { writtenOf } from '../key-table.ts';
import { writtenNetwork, type EndpointNetwork } from '../network-keys.ts';
import { healthCheckFields, networkFields } from '../spec-fields.ts';

/**
 * The fields of a RealmRelay in which `network` differs from `base`, which applies already; undefined if there are none. An
 * endpoint never has to clear a list of `base`, because empty lists are rejected.
 */
export function networkSpec(network: EndpointNetwork, base: EndpointNetwork): NetworkSpec | undefined {
  const spec = differingFields(networkFields, writtenNetwork(network), writtenNetwork(base));
  return Object.keys(spec).length === 0 ? undefined : spec;
}

/** `check` as fields of a RealmRelay, without those that have their defaults. */
export function healthCheckSpec(check: HealthCheckConfig): NonNullable<EndpointSpec['healthCheck']> {
  const fields = differingFields(
    healthCheckFields,
    writtenOf(healthCheckKeys, check),
    writtenOf(healthCheckKeys, {}),
  );
  return { ...fields, ...(check.udp && { udp: check.udp }) };
}

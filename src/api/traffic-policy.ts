import type { Problem } from '../lib/problem.ts';
import { readWith } from '../lib/schema-reader.ts';
import { resolve } from './resolve.ts';
import { relayProblems, relayWarnings } from './rules.ts';
import { apiVersion, type EndpointSpec, kind } from './schema/realm-relay.ts';
import { trafficPolicyObject, type TrafficPolicySpec } from './schema/traffic-policy.ts';

/**
 * Parses `document`, in the shape of the API.
 *
 * @returns every problem, unknown fields of the spec included; the spec if there is none.
 */
export function parseTrafficPolicy(document: unknown): {
  readonly spec?: TrafficPolicySpec;
  readonly problems: readonly Problem[];
} {
  const { value, problems, warnings } = readWith(trafficPolicyObject, document);
  const ofSpec = warnings.filter(({ path }) => path[0] === 'spec');
  if (value === undefined || ofSpec.length > 0) return { problems: [...problems, ...ofSpec] };
  return { spec: value.spec, problems: [] };
}

/** What is wrong, and what is questionable, about the fields of a policy together, by the rules of a RealmRelay's endpoints. */
export function policyProblems(
  { network, balance, through, healthCheck }: TrafficPolicySpec,
  protocols: { readonly tcp: boolean; readonly udp: boolean },
  target: string,
): { readonly problems: readonly Problem[]; readonly warnings: readonly Problem[] } {
  const fields = { balance, through, healthCheck };
  const endpoint: EndpointSpec = {
    name,
    listen: { port: 1 },
    remotes: [{ address: '192.0.2.1', port: 1 }],
    ...(fields as Omit<EndpointSpec, 'name' | 'listen' | 'remotes'>),
    network: { ...network, ...protocols },
  };
  const relay = resolve({ apiVersion, kind, metadata: { name }, spec: { endpoints: [endpoint] } });
  const ofPolicy = (found: readonly Problem[]): Problem[] =>
    found.flatMap(({ path, what, ...rest }) => {
      const [, list, , ...inside] = path;
      const isOfPolicy = list === 'endpoints' && (inside[0] === 'network' || String(inside[0]) in fields);
      return isOfPolicy
        ? [{ ...rest, path: ['spec', ...inside], what: what.replace(`endpoint "${name}"`, target) }]
        : [];
    });
  return { problems: ofPolicy(relayProblems(relay)), warnings: ofPolicy(relayWarnings(relay)) };
}

/** Of the relay that is held against the rules; no message has it. */
const name = 'policy';

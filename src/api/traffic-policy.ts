import type { Problem } from '../lib/problem.ts';
import { parsedSpec, type ParsedSpec } from './parsed-spec.ts';
import { resolve } from './resolve.ts';
import { relayProblems, relayWarnings } from './rules.ts';
import type { EndpointSpec } from './schema/endpoint.ts';
import { apiVersion, kind } from './schema/realm-relay.ts';
import { trafficPolicyObject, type TrafficPolicySpec } from './schema/traffic-policy.ts';

/** Parses `document`, a RealmTrafficPolicy in the shape of the API. */
export function parseTrafficPolicy(document: unknown): ParsedSpec<TrafficPolicySpec> {
  return parsedSpec(trafficPolicyObject, document);
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

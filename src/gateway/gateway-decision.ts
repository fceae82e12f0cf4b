import type { Finding } from '../api/dated-conditions.ts';
import { weakeningProblems } from '../api/label-rules.ts';
import type { Relay } from '../api/relay.ts';
import { addressFamily } from '../lib/ip-address.ts';
import { problemText } from '../lib/problem.ts';
import { attachment, parentKey } from './attachment.ts';
import { isAccepted, judgedListeners } from './listeners.ts';
import { relayOfGateway, type ServedListener } from './relay-of-gateway.ts';
import type { Gateway, GatewayClass, Lookup, ParametersRef, Route } from './types.ts';

/** What is decided about a Gateway before anything is done. */
export type GatewayDecision = {
  readonly listeners: readonly ServedListener[];
  readonly accepted: Finding;
  /** What has to run for it; undefined if nothing does. */
  readonly relay: Relay | undefined;
};

/**
 * Decides about `gateway`.
 *
 * @param routes  those that may name it as a parent; others do no harm.
 */
export function gatewayDecision(
  gateway: Gateway,
  gatewayClass: GatewayClass,
  routes: readonly Route[],
  lookup: Lookup,
): GatewayDecision {
  const judged = judgedListeners(gateway);
  const attachments = routes.flatMap((route) =>
    parentRefsTo(gateway, route).map((parentRef) => ({
      route,
      listeners: attachment(route, parentRef, { gateway, listeners: judged }, lookup).listeners,
    })),
  );
  const listeners = judged.map((listener) => {
    const attached = attachments.filter((each) => each.listeners.includes(listener));
    return { listener, routes: [...new Set(attached.map(({ route }) => route))] };
  });
  const accepted = refusal(gateway, gatewayClass) ?? acceptance(listeners);
  const isServed = accepted.status === 'True';
  return { listeners, accepted, relay: isServed ? relayOfGateway(gateway, listeners, lookup) : undefined };
}

/** The references of `route` to `gateway`. */
export function parentRefsTo({ metadata: { namespace, name } }: Gateway, route: Route) {
  const { parentRefs = [] } = route.spec;
  return parentRefs.filter((ref) => parentKey(route, ref) === `${namespace}/${name}`);
}

function acceptance(listeners: readonly ServedListener[]): Finding {
  const type = 'Accepted';
  const invalid = listeners.filter(({ listener }) => !listener.isValid);
  if (invalid.length === 0)
    return { type, status: 'True', reason: 'Accepted', message: 'The spec is valid.' };
  const names = invalid.map(({ listener }) => `"${listener.spec.name}"`).join(', ');
  const message = `Listeners that are not valid: ${names}; see their conditions.`;
  const status = listeners.some(({ listener }) => isAccepted(listener)) ? 'True' : 'False';
  return { type, status, reason: 'ListenersNotValid', message };
}

/** Why `gateway` is not accepted as a whole; undefined if it is. */
function refusal({ spec }: Gateway, { spec: { parametersRef: ofClass } }: GatewayClass): Finding | undefined {
  const refused = (reason: string, message: string): Finding => ({
    type: 'Accepted',
    status: 'False',
    reason,
    message,
  });
  const { annotations = {}, parametersRef = ofClass } = spec.infrastructure ?? {};
  if (parametersRef !== undefined) return refused('InvalidParameters', parametersText(parametersRef));
  const address = (spec.addresses ?? []).find(
    ({ type = 'IPAddress', value = '' }) =>
      type !== 'IPAddress' || (value !== '' && addressFamily(value) === undefined),
  );
  if (address !== undefined) {
    const { type = 'IPAddress', value = '' } = address;
    const message = `spec.addresses: type ${type} with value "${value}" is not supported: use an IP address of type IPAddress, or remove it.`;
    return refused('UnsupportedAddress', message);
  }
  const problems = weakeningProblems(annotations, ['spec', 'infrastructure', 'annotations']);
  return problems.length === 0 ? undefined : refused('Invalid', problems.map(problemText).join('; '));
}

/** What is said of `parametersRef`, of a GatewayClass or a Gateway. */
export function parametersText({ group, kind, name }: ParametersRef): string {
  return `parametersRef: ${kind}.${group} "${name}" is not supported: remove the reference.`;
}

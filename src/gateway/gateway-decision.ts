import type { Finding } from '../api/dated-conditions.ts';
import { weakeningProblems } from '../api/label-rules.ts';
import type { Relay } from '../api/relay.ts';
import { serviceFieldProblems } from '../api/service-rules.ts';
import { addressFamily } from '../lib/ip-address.ts';
import { problemText } from '../lib/problem.ts';
import { attachment, parentKey } from './attachment.ts';
import { isAccepted, judgedListeners } from './listeners.ts';
import { gatewayParameters } from './parameters.ts';
import { relayOfGateway } from './relay-of-gateway.ts';
import type { ServedListener } from './served.ts';
import type { Gateway, GatewayClass, Lookup, Route } from './types.ts';

/** What is decided about a Gateway before anything is done. */
export type GatewayDecision = {
  readonly listeners: readonly ServedListener[];
  readonly accepted: Finding;
  /** Whether the Gateway as a whole is not accepted, so that what runs for it stays as it is. */
  readonly isRefused: boolean;
  /** What has to run for it; undefined if nothing does, or if it is refused. */
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
  const judged = judgedListeners(gateway, lookup);
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
  const parameters = gatewayParameters(gateway, gatewayClass, lookup);
  const relay =
    'spec' in parameters ? relayOfGateway(gateway, listeners, parameters.spec, lookup) : undefined;
  const refused =
    'problem' in parameters ? refusal('InvalidParameters', parameters.problem) : ownRefusal(gateway, relay);
  if (refused !== undefined) return { listeners, accepted: refused, isRefused: true, relay: undefined };
  return { listeners, accepted: acceptance(listeners), isRefused: false, relay };
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

/** Why `gateway`, or what its parameters make of it, is not accepted as a whole; undefined if it is. */
function ownRefusal({ spec }: Gateway, relay: Relay | undefined): Finding | undefined {
  const address = (spec.addresses ?? []).find(
    ({ type = 'IPAddress', value = '' }) =>
      type !== 'IPAddress' || (value !== '' && addressFamily(value) === undefined),
  );
  if (address !== undefined) {
    const { type = 'IPAddress', value = '' } = address;
    const message = `spec.addresses: type ${type} with value "${value}" is not supported: use an IP address of type IPAddress, or remove it.`;
    return refusal('UnsupportedAddress', message);
  }
  const { annotations = {} } = spec.infrastructure ?? {};
  const weakening = weakeningProblems(annotations, ['spec', 'infrastructure', 'annotations']);
  if (weakening.length > 0) return refusal('Invalid', weakening.map(problemText).join('; '));
  const ofService = relay === undefined ? [] : serviceFieldProblems(relay);
  return ofService.length === 0
    ? undefined
    : refusal('InvalidParameters', `parametersRef: ${ofService.map(problemText).join('; ')}`);
}

function refusal(reason: string, message: string): Finding {
  return { type: 'Accepted', status: 'False', reason, message };
}

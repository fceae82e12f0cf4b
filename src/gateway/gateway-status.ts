import { datedConditions, type Finding } from '../api/dated-conditions.ts';
import type { Condition } from '../api/schema/realm-relay.ts';
import { sameJson } from '../lib/same-json.ts';
import type { GatewayDecision } from './gateway-decision.ts';
import type { ServedListener } from './served.ts';
import {
  type Gateway,
  type GatewayAddress,
  gatewayGroup,
  type GatewayStatus,
  type ListenerStatus,
} from './types.ts';

/** Whether something is done, or why it is not. */
export type Progress = { readonly isDone: boolean; readonly reason: string; readonly message: string };

/** What came of a decision. */
export type GatewayOutcome = {
  /** Whether Pods run the configuration of the current spec. */
  readonly pods: Progress;
  /** Whether clients can reach them at the addresses that the spec asks for. */
  readonly address: Progress;
  readonly addresses: readonly GatewayAddress[];
  /** Why Pods do not listen for a listener, by the name of that. */
  readonly faults: ReadonlyMap<string, string>;
};

const notAccepted = 'The Gateway is not accepted; objects applied earlier are left unchanged.';

/** The schema of the status allows no more. */
const maxAddresses = 16;

/** The part of the status of `gateway` that this controller writes. Pure. */
export function gatewayStatus(
  gateway: Gateway,
  decision: GatewayDecision,
  outcome: GatewayOutcome,
  now: string,
): Required<GatewayStatus> {
  const { metadata, status: { conditions: previous = [], listeners: before = [] } = {} } = gateway;
  const { generation = 0 } = metadata;
  const findings = [decision.accepted, programmed(decision, outcome)];
  return {
    addresses: outcome.addresses.slice(0, maxAddresses),
    conditions: datedConditions(findings, { previous, generation, now }),
    listeners: decision.listeners.map((served) => {
      const conditions = before.find(({ name }) => name === served.listener.spec.name)?.conditions ?? [];
      return listenerStatus(served, outcome, { previous: conditions, generation, now });
    }),
  };
}

/**
 * Whether `gateway` has this status already, whatever others have added to it: the API server keeps conditions and listeners
 * of all writers in one list, in the order of their arrival. Pure.
 */
export function hasGatewayStatus({ status = {} }: Gateway, wanted: Required<GatewayStatus>): boolean {
  const types = new Set(wanted.conditions.map(({ type }) => type));
  const listeners = (status.listeners ?? []).map((listener) => ({
    ...listener,
    conditions: sortedConditions(listener.conditions.filter(({ type }) => listenerTypes.includes(type))),
  }));
  const present = {
    addresses: status.addresses ?? [],
    conditions: sortedConditions((status.conditions ?? []).filter(({ type }) => types.has(type))),
    listeners: sortedListeners(listeners),
  };
  return sameJson(present, { ...wanted, listeners: sortedListeners(wanted.listeners) });
}

const listenerTypes = ['Accepted', 'Conflicted', 'Programmed', 'ResolvedRefs'];

function sortedConditions(conditions: readonly Condition[]): Condition[] {
  return conditions.toSorted((a, b) => (a.type < b.type ? -1 : 1));
}

function sortedListeners(listeners: readonly ListenerStatus[]): ListenerStatus[] {
  return listeners.toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

function programmed({ isRefused, relay }: GatewayDecision, { pods, address }: GatewayOutcome): Finding {
  const type = 'Programmed';
  if (isRefused) return { type, status: 'False', reason: 'Invalid', message: notAccepted };
  if (relay === undefined)
    return { type, status: 'False', reason: 'Invalid', message: 'No listener is valid.' };
  const { isDone, reason, message } = pods.isDone ? address : pods;
  return { type, status: isDone ? 'True' : 'False', reason, message };
}

function listenerStatus(
  { listener, routes }: ServedListener,
  outcome: GatewayOutcome,
  dating: Parameters<typeof datedConditions>[1],
): ListenerStatus {
  const { accepted, conflicted, resolvedRefs, spec, kinds } = listener;
  const findings = [accepted, conflicted, resolvedRefs, listenerProgrammed(listener, outcome)];
  return {
    name: spec.name,
    supportedKinds: kinds.map((kind) => ({ group: gatewayGroup, kind })),
    attachedRoutes: routes.length,
    conditions: datedConditions(findings, dating),
  };
}

function listenerProgrammed(
  { isValid, spec }: ServedListener['listener'],
  { pods, faults }: GatewayOutcome,
): Finding {
  const type = 'Programmed';
  if (!isValid)
    return {
      type,
      status: 'False',
      reason: 'Invalid',
      message: 'The listener is not valid: see its other conditions.',
    };
  const fault = faults.get(spec.name);
  if (fault !== undefined) return { type, status: 'False', reason: 'Pending', message: fault };
  if (!pods.isDone) return { type, status: 'False', reason: 'Pending', message: pods.message };
  return {
    type,
    status: 'True',
    reason: 'Programmed',
    message: 'The Pods run the configuration of this listener.',
  };
}

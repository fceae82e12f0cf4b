import { datedConditions, type Finding } from '../api/dated-conditions.ts';
import type { Condition } from '../api/schema/realm-relay.ts';
import { sameJson } from '../lib/same-json.ts';
import type { GatewayDecision } from './gateway-decision.ts';
import { type JudgedListener, lacksCertificate } from './listeners.ts';
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
  /** What Pods report of certificates; undefined while Pods that mount them are still to come. */
  readonly certificates: CertificateFaults | undefined;
};

/** Why the certificate of a listener is not in use, by the name of the listener; `isServed` if an earlier one is. */
export type CertificateFaults = ReadonlyMap<string, { readonly message: string; readonly isServed: boolean }>;

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

function programmed({ isRefused, relay, listeners }: GatewayDecision, outcome: GatewayOutcome): Finding {
  const { pods, address } = outcome;
  const type = 'Programmed';
  if (isRefused) return { type, status: 'False', reason: 'Invalid', message: notAccepted };
  if (relay === undefined)
    return { type, status: 'False', reason: 'Invalid', message: 'No listener is valid.' };
  const valid = listeners.filter(({ listener }) => listener.isValid);
  if (valid.every(({ listener }) => withoutCertificate(listener, outcome) !== undefined)) {
    const message = 'No listener has a valid certificate: see their conditions.';
    return { type, status: 'False', reason: 'Invalid', message };
  }
  const { isDone, reason, message } = pods.isDone ? address : pods;
  return { type, status: isDone ? 'True' : 'False', reason, message };
}

function listenerStatus(
  { listener, routes }: ServedListener,
  outcome: GatewayOutcome,
  dating: Parameters<typeof datedConditions>[1],
): ListenerStatus {
  const { accepted, conflicted, spec, kinds } = listener;
  const findings = [
    accepted,
    conflicted,
    listenerResolved(listener, outcome),
    listenerProgrammed(listener, outcome),
  ];
  return {
    name: spec.name,
    supportedKinds: kinds.map((kind) => ({ group: gatewayGroup, kind })),
    attachedRoutes: routes.length,
    conditions: datedConditions(findings, dating),
  };
}

/** Whether the references of a listener are resolved, by what is decided and, of its certificate, by what Pods report. */
function listenerResolved(listener: JudgedListener, { certificates }: GatewayOutcome): Finding {
  const { resolvedRefs, certificate, isValid, spec } = listener;
  if (!isValid || certificate === undefined || 'reason' in certificate) return resolvedRefs;
  const secret = `Secret "${certificate.secretName}"`;
  if (certificates === undefined) {
    const message = `Whether ${secret} holds a certificate is known once Pods mount it.`;
    return resolvedRefs.status === 'False'
      ? resolvedRefs
      : { ...resolvedRefs, status: 'Unknown', reason: 'Pending', message };
  }
  const fault = certificates.get(spec.name);
  if (fault === undefined) return resolvedRefs;
  const kept = fault.isServed ? ' The certificate before that stays in use.' : '';
  const message = `${secret} gives no valid certificate and key, as tls.crt and tls.key: create or correct it.${kept} ${fault.message}`;
  if (resolvedRefs.status === 'False')
    return { ...resolvedRefs, message: `${resolvedRefs.message} ${message}` };
  return { ...resolvedRefs, status: 'False', reason: 'InvalidCertificateRef', message };
}

/** Why no client of the listener, at which TLS ends, can be served; undefined if nothing keeps them from that. */
function withoutCertificate(listener: JudgedListener, { certificates }: GatewayOutcome): string | undefined {
  const fault = certificates?.get(listener.spec.name);
  const isLacking = lacksCertificate(listener) || fault?.isServed === false;
  return isLacking ? 'The listener has no valid certificate: see its condition ResolvedRefs.' : undefined;
}

function listenerProgrammed(listener: JudgedListener, outcome: GatewayOutcome): Finding {
  const { isValid, spec } = listener;
  const { pods, faults } = outcome;
  const type = 'Programmed';
  if (!isValid)
    return {
      type,
      status: 'False',
      reason: 'Invalid',
      message: 'The listener is not valid: see its other conditions.',
    };
  const lacking = withoutCertificate(listener, outcome);
  if (lacking !== undefined) return { type, status: 'False', reason: 'Invalid', message: lacking };
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

import type { Finding } from '../api/dated-conditions.ts';
import { adminPort } from '../api/schema/endpoint.ts';
import { portsText } from '../lib/port-range.ts';
import { ownValue } from '../lib/record.ts';
import { type Certificate, certificateOf, isTerminating } from './certificates.ts';
import { hostnameOf } from './hostnames.ts';
import { portRange } from './listener-ports.ts';
import { gatewayPolicies, type GatewayPolicies } from './policies.ts';
import type { PolicySettings } from './policy-rules.ts';
import {
  type Gateway,
  gatewayGroup,
  type Listener,
  type Lookup,
  type RouteGroupKind,
  type RouteKind,
} from './types.ts';

/** A listener with what is to be reported about it; `isValid` if it is to be served. */
export type JudgedListener = {
  readonly spec: Listener;
  /** The kinds of routes that can be attached. */
  readonly kinds: readonly RouteKind[];
  /** What policies set on it. */
  readonly policy: PolicySettings;
  readonly accepted: Finding;
  readonly conflicted: Finding;
  readonly resolvedRefs: Finding;
  /** Where its certificate is; undefined if TLS does not end there. */
  readonly certificate: Certificate | undefined;
  readonly isValid: boolean;
};

const kindsOfProtocol: Readonly<Record<string, readonly RouteKind[]>> = {
  TCP: ['TCPRoute'],
  TLS: ['TLSRoute'],
  UDP: ['UDPRoute'],
};
/** Once TLS has ended, what it carries is TCP. */
const kindsOfTerminated: readonly RouteKind[] = ['TCPRoute', 'TLSRoute'];
/** Protocols whose listeners may share a port by their hostnames. */
const byHostname: readonly string[] = ['TLS', 'HTTPS'];
/** Protocols whose listeners need a TCP socket. */
const overTcp: readonly string[] = ['TCP', 'TLS', 'HTTP', 'HTTPS'];

/** Every listener of `gateway`, judged, in the order of the spec. Pure. */
export function judgedListeners(gateway: Gateway, lookup: Lookup): JudgedListener[] {
  const { listeners } = gateway.spec;
  const policies = gatewayPolicies(gateway, lookup);
  return listeners.map((listener) => {
    const certificate = isTerminating(listener) ? certificateOf(listener, gateway, lookup) : undefined;
    return judged(listener, listeners, policies, certificate);
  });
}

/** Whether the spec of `listener` is accepted. */
export function isAccepted({ accepted }: JudgedListener): boolean {
  return accepted.status === 'True';
}

/** Whether TLS ends at the listener, and there is nothing that could be its certificate. */
export function lacksCertificate({ certificate }: JudgedListener): boolean {
  return certificate !== undefined && 'reason' in certificate;
}

function judged(
  spec: Listener,
  all: readonly Listener[],
  policies: GatewayPolicies,
  certificate: Certificate | undefined,
): JudgedListener {
  const accepted = acceptance(spec);
  const conflicted = conflict(spec, all, policies);
  // a value that is not supported leaves no kind that could be attached
  const { kinds, resolvedRefs } = routeKindsOf(
    spec,
    accepted.reason === 'UnsupportedValue' ? [] : kindsFor(spec),
  );
  return {
    spec,
    kinds,
    policy: policies.ofListener(spec.name),
    accepted,
    conflicted,
    resolvedRefs: withCertificate(resolvedRefs, certificate),
    certificate,
    isValid: accepted.status === 'True' && conflicted.status === 'False',
  };
}

function kindsFor(spec: Listener): readonly RouteKind[] {
  return isTerminating(spec) ? kindsOfTerminated : (ownValue(kindsOfProtocol, spec.protocol) ?? []);
}

/** The first fault is the reason, and the message has both. */
function withCertificate(resolved: Finding, certificate: Certificate | undefined): Finding {
  if (certificate === undefined || 'secretName' in certificate) return resolved;
  if (resolved.status === 'True') return { ...resolved, status: 'False', ...certificate };
  return { ...resolved, message: `${resolved.message} ${certificate.message}` };
}

function acceptance(spec: Listener): Finding {
  const { protocol, port, tls: { certificateRefs = [], options = {} } = {} } = spec;
  const accepted = (reason: string, message: string, status: 'True' | 'False' = 'False'): Finding => ({
    type: 'Accepted',
    status,
    reason,
    message,
  });
  if (ownValue(kindsOfProtocol, protocol) === undefined) {
    const message = `Protocol "${protocol}" is not supported: use TCP, TLS or UDP.`;
    return accepted('UnsupportedProtocol', message);
  }
  if (isTerminating(spec) && certificateRefs.length > 1) {
    const message = `tls.certificateRefs has ${String(certificateRefs.length)} entries, and one is supported: give each certificate a listener with a hostname of its own.`;
    return accepted('UnsupportedValue', message);
  }
  if (port === adminPort) {
    const message = `Port ${String(port)} is the port of the relay's own admin server: choose another port.`;
    return accepted('PortUnavailable', message);
  }
  const ignored = isTerminating(spec) && Object.keys(options).length > 0;
  const message = `The listener is valid${ignored ? '; tls.options have no effect' : ''}.`;
  return accepted('Accepted', message, 'True');
}

/**
 * GEP-2644: listeners that need the same socket conflict, all of them, since none has precedence. Those of TLS share it, if each has
 * a hostname of its own.
 */
function conflict(spec: Listener, all: readonly Listener[], { ofListener }: GatewayPolicies): Finding {
  const rangeOf = (listener: Listener) => portRange(listener, ofListener(listener.name));
  const { first, last } = rangeOf(spec);
  const rivals = all.filter((other) => {
    const range = rangeOf(other);
    return (
      other !== spec &&
      first <= range.last &&
      range.first <= last &&
      transport(other) === transport(spec) &&
      !shares(spec, other)
    );
  });
  if (rivals.length === 0)
    return {
      type: 'Conflicted',
      status: 'False',
      reason: 'NoConflicts',
      message: 'No other listener needs the port.',
    };
  const names = rivals.map(({ name }) => `"${name}"`).join(', ');
  if (rivals.every((rival) => isByHostname(spec, rival))) {
    const message = `Listener ${names} has the same hostname on port ${portsText(first, last)}: give each a hostname of its own.`;
    return { type: 'Conflicted', status: 'True', reason: 'HostnameConflict', message };
  }
  const isRange = rivals.some((rival) => rival.port !== first) || first !== last;
  const message = isRange
    ? `Port ${portsText(first, last)} over ${transport(spec)} overlaps with the ports of listener ${names}: give each ports of its own, or change endPort of its policy.`
    : `Port ${String(first)} over ${transport(spec)} is also the port of listener ${names}: give each a port of its own.`;
  return { type: 'Conflicted', status: 'True', reason: 'ProtocolConflict', message };
}

/** Whether both may have the same port. */
function shares(a: Listener, b: Listener): boolean {
  return isByHostname(a, b) && hostnameOf(a) !== hostnameOf(b);
}

function isByHostname(a: Listener, b: Listener): boolean {
  return byHostname.includes(a.protocol) && byHostname.includes(b.protocol);
}

function transport({ protocol }: Listener): string {
  return overTcp.includes(protocol) ? 'TCP' : protocol;
}

function routeKindsOf(
  { allowedRoutes }: Listener,
  supported: readonly RouteKind[],
): Pick<JudgedListener, 'kinds' | 'resolvedRefs'> {
  const resolved: Finding = {
    type: 'ResolvedRefs',
    status: 'True',
    reason: 'ResolvedRefs',
    message: 'All references are resolved.',
  };
  if (supported.length === 0) return { kinds: [], resolvedRefs: resolved };
  const named = allowedRoutes?.kinds ?? [];
  const others = named.filter((each) => !supported.some((kind) => isKind(each, kind)));
  const kinds =
    named.length === 0 ? supported : supported.filter((kind) => named.some((each) => isKind(each, kind)));
  if (others.length === 0) return { kinds, resolvedRefs: resolved };
  const message = `allowedRoutes.kinds: ${others.map(kindText).join(', ')} cannot be attached to this listener: use ${supported.join(' or ')}.`;
  return {
    kinds,
    resolvedRefs: { ...resolved, status: 'False', reason: 'InvalidRouteKinds', message },
  };
}

function isKind({ group = gatewayGroup, kind }: RouteGroupKind, wanted: RouteKind): boolean {
  return group === gatewayGroup && kind === wanted;
}

function kindText({ group = gatewayGroup, kind }: RouteGroupKind): string {
  return group === gatewayGroup ? kind : `${kind}.${group}`;
}

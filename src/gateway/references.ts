import type { Finding } from '../api/dated-conditions.ts';
import { type BackendRef, type BackendService, gatewayGroup, type Lookup, type Route } from './types.ts';

/** A port of a Service. */
export type BackendPort = NonNullable<BackendService['spec']['ports']>[number];

/** What a reference to a backend comes to: a port of a Service, or why there is none. */
export type Backend =
  | { readonly service: BackendService; readonly port: BackendPort }
  | { readonly reason: string; readonly message: string };

/** The transport protocol of what `route` relays. */
export function protocolOf({ kind }: Pick<Route, 'kind'>): 'TCP' | 'UDP' {
  return kind === 'UDPRoute' ? 'UDP' : 'TCP';
}

/** The references to backends of all rules of `route`. */
export function backendRefs({ spec: { rules = [] } }: Route): readonly BackendRef[] {
  return rules.flatMap((rule) => rule.backendRefs ?? []);
}

/** The namespace of the backend that `ref` of `route` names. */
export function backendNamespace({ metadata }: Route, { namespace }: BackendRef): string {
  return namespace ?? metadata.namespace;
}

/**
 * Resolves `ref` of `route`. A reference into another namespace that no ReferenceGrant permits reveals nothing about what
 * exists there. Pure.
 */
export function resolvedBackend(ref: BackendRef, route: Route, lookup: Lookup): Backend {
  const { group = '', kind = 'Service', name } = ref;
  const namespace = backendNamespace(route, ref);
  if (group !== '' || kind !== 'Service') {
    const what = group === '' ? kind : `${kind}.${group}`;
    return { reason: 'InvalidKind', message: `${what} "${name}" is no backend: use a Service.` };
  }
  const from = { group: gatewayGroup, kind: route.kind, namespace: route.metadata.namespace };
  if (namespace !== from.namespace && !isGranted(from, { group, kind, namespace, name }, lookup)) {
    const message = `No ReferenceGrant in namespace "${namespace}" lets a ${route.kind} of namespace "${route.metadata.namespace}" refer to Service "${name}".`;
    return { reason: 'RefNotPermitted', message };
  }
  const service = lookup.service(namespace, name);
  if (service === undefined)
    return { reason: 'BackendNotFound', message: `Service "${namespace}/${name}" does not exist.` };
  return resolvedPort(service, ref.port, protocolOf(route));
}

function resolvedPort(service: BackendService, port = 0, protocol: 'TCP' | 'UDP'): Backend {
  const { metadata, spec } = service;
  const name = `Service "${metadata.namespace}/${metadata.name}"`;
  if (spec.type === 'ExternalName') {
    // The specification warns of it: such a Service names a host in place of Pods, whatever that host is.
    const message = `${name} is of type ExternalName, which is no backend: use a Service with a selector or with EndpointSlices.`;
    return { reason: 'UnsupportedValue', message };
  }
  const ofNumber = (spec.ports ?? []).filter((each) => each.port === port);
  const found = ofNumber.find((each) => (each.protocol ?? 'TCP') === protocol);
  if (found !== undefined) return { service, port: found };
  if (ofNumber.length === 0)
    return { reason: 'BackendNotFound', message: `${name} has no port ${String(port)}.` };
  return {
    reason: 'UnsupportedProtocol',
    message: `Port ${String(port)} of ${name} is not a ${protocol} port.`,
  };
}

/** Objects of a kind in a namespace. */
type KindIn = { readonly group: string; readonly kind: string; readonly namespace: string };

/** Whether a ReferenceGrant lets objects such as `from` refer to `to`, which is in another namespace. Pure. */
export function isGranted(
  from: KindIn,
  to: KindIn & { readonly name: string },
  { grants }: Pick<Lookup, 'grants'>,
): boolean {
  return grants(to.namespace).some(
    ({ spec }) =>
      spec.from.some((each) => isKind(each, from) && each.namespace === from.namespace) &&
      spec.to.some((each) => isKind(each, to) && ['', to.name].includes(each.name ?? '')),
  );
}

function isKind(a: Omit<KindIn, 'namespace'>, b: Omit<KindIn, 'namespace'>): boolean {
  return a.group === b.group && a.kind === b.kind;
}

/** The condition ResolvedRefs of `route`: the first fault is the reason, and the message has all. Pure. */
export function resolvedRefs(route: Route, lookup: Lookup): Finding {
  const faults = backendRefs(route)
    .map((ref) => resolvedBackend(ref, route, lookup))
    .flatMap((backend) => ('reason' in backend ? [backend] : []));
  const [first] = faults;
  const type = 'ResolvedRefs';
  if (first === undefined)
    return { type, status: 'True', reason: 'ResolvedRefs', message: 'All references are resolved.' };
  const message = [...new Set(faults.map((fault) => fault.message))].join(' ');
  return { type, status: 'False', reason: first.reason, message };
}

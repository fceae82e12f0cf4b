import type { Finding } from '../api/dated-conditions.ts';
import type { Path, Problem } from '../lib/problem.ts';
import { ownValue } from '../lib/record.ts';
import { attachedMessage, parentKey } from './attachment.ts';
import type { JudgedListener } from './listeners.ts';
import type { ManifestWorld } from './manifest-world.ts';
import { classParameters, gatewayParameters } from './parameters.ts';
import { routePolicies, targetsOf } from './policies.ts';
import { policyVerdict } from './policy-status.ts';
import { backendNamespace, resolvedBackend, resolvedRefs } from './references.ts';
import { routeParents } from './route-status.ts';
import { controllerName, type Gateway, type Route, type TrafficPolicy } from './types.ts';

/** A problem of one of the objects of a {@link ManifestWorld}. */
export type ManifestProblem = {
  readonly object: object;
  /** An error if a condition would not be True, a warning if another manifest may still mend that, or if it is no condition. */
  readonly severity: 'error' | 'warning';
  readonly problem: Problem;
};

/**
 * What the statuses of the objects of `world` would report, and what its manifests lack. Pure.
 *
 * @param areBackendsComplete  whether nobody makes the EndpointSlices that have no manifest.
 */
export function manifestProblems(world: ManifestWorld, areBackendsComplete: boolean): ManifestProblem[] {
  const { classes, routes, policies } = world.objects;
  return [
    ...classes.flatMap((gatewayClass) => {
      if (gatewayClass.spec.controllerName !== controllerName) return [];
      const parameters = classParameters(gatewayClass, world.lookup);
      if ('spec' in parameters) return [];
      const { problem: message, isMissing = false } = parameters;
      const accepted = { ...notAccepted, reason: 'InvalidParameters', message };
      return [reported(gatewayClass, ['spec', 'parametersRef'], accepted, isMissing)];
    }),
    ...world.gateways.flatMap((gateway) => gatewayProblems(gateway, world)),
    ...routes.flatMap((route) => routeProblems(route, world, areBackendsComplete)),
    ...policies.flatMap((policy) => policyProblems(policy, world)),
  ];
}

const notAccepted = { type: 'Accepted', status: 'False' } as const;

function gatewayProblems(gateway: Gateway, world: ManifestWorld): ManifestProblem[] {
  const { accepted, listeners } = world.decision(gateway);
  const { gatewayClassName } = gateway.spec;
  const unknownClass: Problem = {
    path: ['spec', 'gatewayClassName'],
    what: 'names no GatewayClass of the manifests, and is taken for one of this operator',
    value: gatewayClassName,
    remedy: 'add the manifest of the GatewayClass',
  };
  const isListed = accepted.reason === 'ListenersNotValid'; // the listeners say why
  return [
    ...(world.classOf(gateway) === undefined ? [warning(gateway, unknownClass)] : []),
    ...(accepted.status === 'True' || isListed
      ? []
      : [
          reported(
            gateway,
            ownValue(gatewayPaths, accepted.reason) ?? ['spec'],
            accepted,
            lacksParameters(gateway, world),
          ),
        ]),
    ...listeners.flatMap(({ listener }, index) =>
      listenerFindings(listener).map((finding) => {
        const field = ownValue(listenerPaths, finding.reason) ?? [];
        const isElsewhere = finding.reason === 'RefNotPermitted';
        return reported(gateway, ['spec', 'listeners', index, ...field], finding, isElsewhere);
      }),
    ),
  ];
}

function lacksParameters(gateway: Gateway, world: ManifestWorld): boolean {
  const found = gatewayParameters(gateway, world.servedClassOf(gateway), world.lookup);
  return 'problem' in found && found.isMissing === true;
}

/** The field that a reason of the condition Accepted of a Gateway is about. */
const gatewayPaths: Readonly<Record<string, Path>> = {
  UnsupportedAddress: ['spec', 'addresses'],
  InvalidParameters: ['spec', 'infrastructure', 'parametersRef'],
  Invalid: ['spec', 'infrastructure', 'annotations'],
};

/** The field that the reason of a condition of a listener is about. */
const listenerPaths: Readonly<Record<string, Path>> = {
  UnsupportedProtocol: ['protocol'],
  UnsupportedValue: ['tls', 'certificateRefs'],
  PortUnavailable: ['port'],
  ProtocolConflict: ['port'],
  HostnameConflict: ['hostname'],
  InvalidRouteKinds: ['allowedRoutes', 'kinds'],
  InvalidCertificateRef: ['tls', 'certificateRefs'],
  RefNotPermitted: ['tls', 'certificateRefs'],
};

function listenerFindings({ accepted, conflicted, resolvedRefs }: JudgedListener): Finding[] {
  return [
    ...(accepted.status === 'False' ? [accepted] : []),
    ...(conflicted.status === 'True' ? [conflicted] : []),
    ...(resolvedRefs.status === 'False' ? [resolvedRefs] : []),
  ];
}

function routeProblems(route: Route, world: ManifestWorld, areBackendsComplete: boolean): ManifestProblem[] {
  const { parentRefs = [] } = route.spec;
  const keys = parentRefs.map((ref) => parentKey(route, ref));
  const isServed = keys.some((key) => key !== undefined && world.gateway(key) !== undefined);
  return [
    ...keys.flatMap((key, index) =>
      key === undefined || world.hasGateway(key) ? [] : [warning(route, unknownParent(key, index))],
    ),
    ...parentProblems(route, keys, world),
    ...(isServed ? backendProblems(route, world, areBackendsComplete) : []),
  ];
}

function unknownParent(key: string, index: number): Problem {
  const path = ['spec', 'parentRefs', index];
  const what = `names Gateway "${key}", which is not among the manifests`;
  return { path, what, remedy: 'add its manifest, or correct the reference' };
}

/** What the conditions Accepted of `route` report, for each of its parents. */
function parentProblems(
  route: Route,
  keys: readonly (string | undefined)[],
  world: ManifestWorld,
): ManifestProblem[] {
  const surroundings = { gateway: world.gateway, routesOf: () => world.objects.routes };
  const areResolved = resolvedRefs(route, world.lookup).status === 'True';
  const served = keys.flatMap((key, index) => (world.gateway(key ?? '') === undefined ? [] : [index]));
  return routeParents(route, surroundings, world.lookup, '').flatMap(({ conditions }, index) => {
    const path = ['spec', 'parentRefs', served[index] ?? 0];
    const [accepted, resolved] = conditions;
    // of each backend there is a problem of its own; what is left are the port ranges of listeners
    const ofRange = areResolved && resolved?.status === 'False' ? [reported(route, path, resolved)] : [];
    if (accepted === undefined || accepted.message === attachedMessage) return ofRange;
    if (accepted.status !== 'True') return [reported(route, path, accepted)];
    const shadowed = warning(route, { path, ...divided(accepted.message, 'remove one of the two routes') });
    return [shadowed, ...ofRange];
  });
}

function backendProblems(
  route: Route,
  world: ManifestWorld,
  areBackendsComplete: boolean,
): ManifestProblem[] {
  const { lookup } = world;
  const dialsService = routePolicies(route, lookup).settings.backends === 'ClusterIP';
  return (route.spec.rules ?? []).flatMap(({ backendRefs = [] }, rule) =>
    backendRefs.flatMap((ref, index) => {
      const path = ['spec', 'rules', rule, 'backendRefs', index];
      const backend = resolvedBackend(ref, route, lookup);
      const namespace = backendNamespace(route, ref);
      if ('reason' in backend) {
        const isElsewhere =
          lookup.service(namespace, ref.name) === undefined || backend.reason === 'RefNotPermitted';
        const finding = { type: 'ResolvedRefs', status: 'False', ...backend } as const;
        return [reported(route, path, finding, isElsewhere)];
      }
      const { selector } = backend.service.spec as { selector?: object };
      const isMade = !areBackendsComplete && selector !== undefined; // by the control plane
      if (isMade || dialsService || lookup.slices(namespace, ref.name).length > 0) return [];
      return [warning(route, withoutSlices(path, `${namespace}/${ref.name}`, ref.name))];
    }),
  );
}

function withoutSlices(path: Path, service: string, name: string): Problem {
  return {
    path,
    what: `names Service "${service}", which has no EndpointSlice among the manifests, so that clients are refused`,
    remedy: `add one with the label kubernetes.io/service-name: ${name}`,
  };
}

function policyProblems(policy: TrafficPolicy, world: ManifestWorld): ManifestProblem[] {
  const found = targetsOf(policy).flatMap((target, index) => {
    const path = ['spec', 'targetRefs', index];
    const { accepted, problems, warnings } = policyVerdict(policy, target, world, world.lookup);
    if (accepted.status === 'True') return warnings.map((problem) => warning(policy, problem));
    if (problems.length === 0) return [reported(policy, path, accepted)];
    return problems.map((problem): ManifestProblem => ({ object: policy, severity: 'error', problem }));
  });
  return [...new Map(found.map((each) => [JSON.stringify(each.problem), each])).values()];
}

function warning(object: object, problem: Problem): ManifestProblem {
  return { object, severity: 'warning', problem };
}

/** What to do where the message of a condition does not say it. */
const remedies: Readonly<Record<string, string>> = {
  BackendNotFound: 'add its manifest, or correct the reference',
  InvalidParameters: 'add its manifest, or correct the reference',
  TargetNotFound: 'correct the target',
  RefNotPermitted: 'add a ReferenceGrant there',
};

/** `finding`, a condition that would not be True. @param isElsewhere  whether another manifest may mend it. */
function reported(
  object: object,
  path: Path,
  { type, status, reason, message }: Finding,
  isElsewhere = false,
): ManifestProblem {
  const { what, remedy } = divided(message, ownValue(remedies, reason) ?? 'correct it');
  return {
    object,
    severity: isElsewhere ? 'warning' : 'error',
    problem: { path, what: `gets ${type} ${status}, ${reason}: ${what}`, remedy },
  };
}

/** Messages of conditions end in `: REMEDY.`; where one does not, the remedy is `other`. */
function divided(message: string, other: string): { readonly what: string; readonly remedy: string } {
  const sentence = message.replace(/[.]$/, '');
  const at = sentence.lastIndexOf(': ');
  return at < 0
    ? { what: sentence, remedy: other }
    : { what: sentence.slice(0, at), remedy: sentence.slice(at + 2) };
}

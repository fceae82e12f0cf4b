import { parametersOver, parseGatewayParameters } from '../api/gateway-parameters.ts';
import { type GatewayParametersSpec, parametersKind } from '../api/schema/gateway-parameters.ts';
import { group as ownGroup } from '../api/schema/realm-relay.ts';
import { problemText } from '../lib/problem.ts';
import type { Gateway, GatewayClass, Lookup, ParametersRef } from './types.ts';

/** Parameters, or why there are none. */
export type Parameters =
  | { readonly spec: GatewayParametersSpec }
  | {
      readonly problem: string;
      /** Whether the object that is referred to does not exist. */
      readonly isMissing?: true;
    };

/** The parameters of `gatewayClass`; empty if it refers to none. Pure. */
export function classParameters({ spec: { parametersRef } }: GatewayClass, lookup: Lookup): Parameters {
  if (parametersRef === undefined) return { spec: {} };
  const { namespace } = parametersRef;
  const { kind, name } = parametersRef;
  if (namespace === undefined && kind === parametersKind)
    return {
      problem: `parametersRef: the reference to ${kind} "${name}" has no namespace, which a GatewayClass has to name: set it.`,
    };
  return referredTo(parametersRef, namespace ?? '', lookup);
}

/** The parameters of `gateway`: its own over those of its class, field by field. Pure. */
export function gatewayParameters(gateway: Gateway, gatewayClass: GatewayClass, lookup: Lookup): Parameters {
  const ofClass = classParameters(gatewayClass, lookup);
  const { parametersRef } = gateway.spec.infrastructure ?? {};
  if ('problem' in ofClass || parametersRef === undefined) return ofClass;
  const own = referredTo(parametersRef, gateway.metadata.namespace, lookup);
  return 'problem' in own ? own : { spec: parametersOver(ofClass.spec, own.spec) };
}

/** `NAMESPACE/NAME` of the RealmGatewayParameters that `ref` names; undefined if it names another kind. */
export function parametersKey(
  ref: ParametersRef | undefined,
  namespace = ref?.namespace,
): string | undefined {
  const isOwn = ref?.group === ownGroup && ref.kind === parametersKind;
  return isOwn && namespace !== undefined ? `${namespace}/${ref.name}` : undefined;
}

function referredTo(ref: ParametersRef, namespace: string, lookup: Lookup): Parameters {
  const { group, kind, name } = ref;
  if (parametersKey(ref, namespace) === undefined) {
    const problem = `parametersRef: ${kind}.${group} "${name}" is not supported: use a ${parametersKind} of ${ownGroup}.`;
    return { problem };
  }
  const document = lookup.parameters(namespace, name);
  const what = `${parametersKind} "${namespace}/${name}"`;
  if (document === undefined) return { problem: `parametersRef: ${what} does not exist.`, isMissing: true };
  const { spec, problems } = parseGatewayParameters(document);
  return spec === undefined
    ? { problem: `parametersRef: ${what}: ${problems.map(problemText).join('; ')}` }
    : { spec };
}

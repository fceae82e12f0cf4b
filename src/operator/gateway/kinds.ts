import { parametersKind, parametersPlural } from '../../api/schema/gateway-parameters.ts';
import { apiVersion } from '../../api/schema/realm-relay.ts';
import { policyKind, policyPlural } from '../../api/schema/traffic-policy.ts';
import {
  type BackendService,
  type EndpointSlice,
  type Gateway,
  type GatewayClass,
  gatewayGroup,
  type ReferenceGrant,
  type Route,
  type TrafficPolicy,
} from '../../gateway/types.ts';
import type { KubeClient } from '../../kube/client.ts';
import type { KubeObject } from '../../kube/object.ts';
import type { Resource } from '../../kube/resource.ts';
import { gatewayResource } from '../kinds.ts';

/** The objects as stores keep them. */
export type GatewayClassObject = KubeObject & GatewayClass;
export type GatewayObject = KubeObject & Gateway;
export type RouteObject = KubeObject & Route;
export type ReferenceGrantObject = KubeObject & ReferenceGrant;
export type BackendServiceObject = KubeObject & BackendService;
export type TrafficPolicyObject = KubeObject & TrafficPolicy;
export type EndpointSliceObject = KubeObject & EndpointSlice;

/** Where EndpointSlices are served. */
export const sliceResource: Resource = {
  apiVersion: 'discovery.k8s.io/v1',
  kind: 'EndpointSlice',
  plural: 'endpointslices',
};

/** Where Namespaces are served. */
export const namespaceResource: Resource = { apiVersion: 'v1', kind: 'Namespace', plural: 'namespaces' };

/** The kinds of the Gateway API that are read, each with the versions that are understood, the best first. */
const kinds = {
  GatewayClass: { plural: 'gatewayclasses', versions: ['v1'] },
  Gateway: { plural: gatewayResource.plural, versions: ['v1'] },
  TCPRoute: { plural: 'tcproutes', versions: ['v1', 'v1alpha2'] },
  TLSRoute: { plural: 'tlsroutes', versions: ['v1', 'v1alpha3', 'v1alpha2'] },
  UDPRoute: { plural: 'udproutes', versions: ['v1', 'v1alpha2'] },
  ReferenceGrant: { plural: 'referencegrants', versions: ['v1', 'v1beta1'] },
} as const;

/** A kind of the Gateway API. */
export type GatewayKind = keyof typeof kinds;

/** A kind of our own that goes with Gateways. */
export type OwnKind = typeof parametersKind | typeof policyKind;

/** Where those are served, if their CRDs are as new as this operator. */
const ownResources: readonly (Resource & { readonly kind: OwnKind })[] = [
  { apiVersion, kind: parametersKind, plural: parametersPlural },
  { apiVersion, kind: policyKind, plural: policyPlural },
];

/** Every kind of the Gateway API that is read. */
export const gatewayKinds = Object.keys(kinds) as GatewayKind[];

/** Where the API server serves each kind that it has. */
export type ServedKinds = ReadonlyMap<GatewayKind | OwnKind, Resource>;

type Discovery = { readonly versions?: readonly { readonly version: string }[] };
type ResourceList = { readonly resources?: readonly { readonly name: string }[] };

/**
 * Asks the API server which kinds of the Gateway API it serves; none if the API is not installed.
 *
 * @throws KubeError and errors of the connection.
 */
export async function servedKinds(client: KubeClient): Promise<ServedKinds> {
  const group = (await client.find(`/apis/${gatewayGroup}`)) as Discovery | undefined;
  if (group === undefined) return new Map();
  const understood = new Set<string>(Object.values(kinds).flatMap(({ versions }) => versions));
  const offered = (group.versions ?? []).map(({ version }) => version).filter((each) => understood.has(each));
  const plurals = new Map(
    await Promise.all(
      offered.map(
        async (version) => [version, await pluralsOf(client, `${gatewayGroup}/${version}`)] as const,
      ),
    ),
  );
  const own = await pluralsOf(client, apiVersion);
  const served = gatewayKinds.flatMap((kind) => {
    const { plural, versions } = kinds[kind];
    const version = versions.find((each) => plurals.get(each)?.includes(plural));
    return version === undefined
      ? []
      : [[kind, { apiVersion: `${gatewayGroup}/${version}`, kind, plural }] as const];
  });
  const ownServed = ownResources
    .filter(({ plural }) => own.includes(plural))
    .map((resource) => [resource.kind, resource] as const);
  return new Map<GatewayKind | OwnKind, Resource>([...served, ...ownServed]);
}

/** The resources of a version of an API. */
async function pluralsOf(client: KubeClient, version: string): Promise<readonly string[]> {
  const list = (await client.find(`/apis/${version}`)) as ResourceList | undefined;
  return (list?.resources ?? []).map(({ name }) => name);
}

import type { Relay } from '../api/relay.ts';
import { gatewayDecision, type GatewayDecision } from './gateway-decision.ts';
import { targetsOf } from './policies.ts';
import {
  type BackendService,
  controllerName,
  type EndpointSlice,
  type Gateway,
  type GatewayClass,
  type Labels,
  type Lookup,
  type ReferenceGrant,
  type Route,
  type TrafficPolicy,
} from './types.ts';

/** The objects of some manifests, validated by their schemas, each with a namespace. */
export type ManifestObjects = {
  readonly classes: readonly GatewayClass[];
  readonly gateways: readonly Gateway[];
  readonly routes: readonly Route[];
  readonly grants: readonly ReferenceGrant[];
  readonly parameters: readonly Named[];
  readonly policies: readonly TrafficPolicy[];
  readonly services: readonly BackendService[];
  readonly slices: readonly EndpointSlice[];
  readonly namespaces: readonly Named[];
};

type Named = {
  readonly metadata: { readonly name: string; readonly namespace: string; readonly labels?: Labels };
};

/** What has the label that every namespace has, also one without a manifest. */
const nameLabel = 'kubernetes.io/metadata.name';

/** Some manifests as a cluster that has nothing else: what its Gateways come to. */
export class ManifestWorld {
  readonly objects: ManifestObjects;
  readonly lookup: Lookup;
  /** The Gateways of this controller. A class without a manifest is taken for one of its own. */
  readonly gateways: readonly Gateway[];
  readonly #all: ReadonlyMap<string, Gateway>;
  readonly #own: ReadonlyMap<string, Gateway>;
  readonly #decisions = new Map<Gateway, GatewayDecision>();

  constructor(objects: ManifestObjects) {
    this.objects = objects;
    this.gateways = objects.gateways.filter((gateway) => {
      return (this.classOf(gateway)?.spec.controllerName ?? controllerName) === controllerName;
    });
    // Reversed, so that the first of several of one name counts.
    [this.#all, this.#own] = [byKey(objects.gateways.toReversed()), byKey(this.gateways.toReversed())];
    const { services, slices, grants, parameters, policies, namespaces } = objects;
    const [servicesByKey, parametersByKey] = [byKey(services), byKey(parameters)];
    const slicesByService = Map.groupBy(slices, ({ metadata }) => {
      return `${metadata.namespace}/${metadata.labels?.['kubernetes.io/service-name'] ?? ''}`;
    });
    const grantsByNamespace = Map.groupBy(grants, ({ metadata }) => metadata.namespace);
    const labels = new Map(namespaces.map(({ metadata }) => [metadata.name, metadata.labels]));
    this.lookup = {
      service: (namespace, name) => servicesByKey.get(`${namespace}/${name}`),
      slices: (namespace, service) => slicesByService.get(`${namespace}/${service}`) ?? [],
      grants: (namespace) => grantsByNamespace.get(namespace) ?? [],
      parameters: (namespace, name) => parametersByKey.get(`${namespace}/${name}`),
      policies: (kind, namespace, name) =>
        policies.filter(
          (policy) =>
            policy.metadata.namespace === namespace &&
            targetsOf(policy).some((target) => target.kind === kind && target.name === name),
        ),
      namespaceLabels: (name) => ({ [nameLabel]: name, ...labels.get(name) }),
    };
  }

  /** The class of `gateway`; undefined if no manifest has it. */
  classOf({ spec }: Gateway): GatewayClass | undefined {
    return this.objects.classes.find(({ metadata }) => metadata.name === spec.gatewayClassName);
  }

  /** The same for a Gateway of this controller: without a manifest, a class that has nothing but its name. */
  servedClassOf(gateway: Gateway): GatewayClass {
    const { gatewayClassName: name } = gateway.spec;
    return this.classOf(gateway) ?? { metadata: { name }, spec: { controllerName } };
  }

  /** Whether there is a Gateway at `NAMESPACE/NAME`, of any controller. */
  hasGateway(key: string): boolean {
    return this.#all.has(key);
  }

  /** The Gateway at `NAMESPACE/NAME` if it is of this controller. */
  readonly gateway = (key: string): Gateway | undefined => this.#own.get(key);

  /** The route of this kind at `NAMESPACE/NAME`. */
  readonly route = (kind: string, key: string): Route | undefined =>
    this.objects.routes.find(
      (route) => route.kind === kind && `${route.metadata.namespace}/${route.metadata.name}` === key,
    );

  /** What is decided about `gateway`. */
  decision(gateway: Gateway): GatewayDecision {
    const known = this.#decisions.get(gateway);
    if (known !== undefined) return known;
    const { objects, lookup } = this;
    const decision = gatewayDecision(gateway, this.servedClassOf(gateway), objects.routes, lookup);
    this.#decisions.set(gateway, decision);
    return decision;
  }

  /** The relays of the Gateways that need one. */
  get relays(): readonly { readonly gateway: Gateway; readonly relay: Relay }[] {
    return this.gateways.flatMap((gateway) => {
      const { relay } = this.decision(gateway);
      return relay === undefined ? [] : [{ gateway, relay }];
    });
  }
}

function byKey<T extends Named>(objects: readonly T[]): ReadonlyMap<string, T> {
  return new Map(objects.map((object) => [`${object.metadata.namespace}/${object.metadata.name}`, object]));
}

import { parentKey } from '../../gateway/attachment.ts';
import { backendNamespace, backendRefs } from '../../gateway/references.ts';
import { parametersKey } from '../../gateway/parameters.ts';
import type { Gateway, Listener, Lookup, ParametersRef, Route, RouteKind } from '../../gateway/types.ts';
import { controllerName, isRouteKind, routeKinds } from '../../gateway/types.ts';
import type { KubeObject, ObjectKey } from '../../kube/object.ts';
import type { ObjectChange } from '../../kube/packed-object.ts';
import { Store } from '../../kube/store.ts';
import { groupsOf, isSame, isSameGeneration, keysOf } from './changes.ts';
import type {
  BackendServiceObject,
  EndpointSliceObject,
  GatewayClassObject,
  GatewayObject,
  ReferenceGrantObject,
  RouteObject,
} from './kinds.ts';
import { PolicyIndex } from './policy-index.ts';
import { ReferenceIndex } from './reference-index.ts';
import { serviceNameLabel } from './stripped.ts';

/** What a change touches: `soon` if it may be one of many, as those of endpoints are. */
export type Touched = (key: ObjectKey, pace: 'now' | 'soon') => void;

/** What is known of Gateways and of all that they depend on. Informers fill the stores. */
export class GatewayStores {
  readonly classes = new Store<GatewayClassObject>();
  readonly gateways = new Store<GatewayObject>((gateway) => `class//${gateway.spec.gatewayClassName}`);
  readonly routes: Readonly<Record<RouteKind, Store<RouteObject>>> = {
    TCPRoute: new Store<RouteObject>(),
    TLSRoute: new Store<RouteObject>(),
    UDPRoute: new Store<RouteObject>(),
  };
  readonly grants = new Store<ReferenceGrantObject>(({ metadata }) => `${metadata.namespace}/*`);
  readonly parameters = new Store<KubeObject>();
  readonly policies = new PolicyIndex();
  readonly services = new Store<BackendServiceObject>();
  readonly slices = new Store<EndpointSliceObject>(serviceOfSlice);
  readonly namespaces = new Store<KubeObject>();
  readonly #references = new ReferenceIndex();

  /** What the decisions about Gateways and routes look up. */
  readonly lookup: Lookup = {
    service: (namespace, name) => this.services.get(`${namespace}/${name}`),
    slices: (namespace, service) => this.slices.group(`${namespace}/${service}`),
    grants: (namespace) => this.grants.group(`${namespace}/*`),
    parameters: (namespace, name) => this.parameters.get(`${namespace}/${name}`),
    policies: (kind, namespace, name) => this.policies.of(kind, namespace, name),
    namespaceLabels: (name) => {
      const namespace = this.namespaces.get(`/${name}`);
      return namespace && (namespace.metadata.labels ?? {});
    },
  };

  /** Calls `touched` with the key of each class, Gateway and route that a change of others makes worth a look. */
  subscribe(touched: Touched): void {
    this.classes.subscribe(({ now, before }) => {
      const { key } = now ?? before ?? { key: undefined };
      if (key === undefined) return;
      this.#references.set(`class/${key}`, parametersOf(now?.object().spec.parametersRef));
      this.#touchClass(`class/${key}`, touched);
    });
    this.parameters.subscribe((change) => {
      for (const key of keysOf(change))
        for (const source of this.#references.sources(`parameters/${key}`))
          if (source.startsWith('class/')) this.#touchClass(source, touched);
          else touched(source, 'now');
    });
    this.policies.subscribe(
      (key) => {
        touched(key, 'now');
      },
      (kind, key) => {
        this.#touchTarget(kind, key, touched);
      },
    );
    this.gateways.subscribe((change) => {
      for (const key of keysOf(change)) this.#touchGateway(`gateway/${key}`, change, touched);
    });
    for (const [kind, store] of Object.entries(this.routes))
      store.subscribe((change) => {
        for (const key of keysOf(change)) {
          this.#routeChanged(routeKey(kind, key), change, touched);
          if (!isSameGeneration(change)) this.#touchPolicies(kind, key, touched);
        }
      });
    this.services.subscribe((change) => {
      if (!isSame(change)) for (const key of keysOf(change)) this.#touchRoutes(`service/${key}`, touched);
    });
    this.slices.subscribe((change) => {
      if (isSame(change)) return;
      for (const key of groupsOf(change)) {
        this.#touchRanged(`service/${key}`, touched);
        this.#touchParents(`service/${key}`, touched);
      }
    });
    this.grants.subscribe((change) => {
      for (const key of groupsOf(change)) this.#touchRoutes(`granted/${key}`, touched);
    });
    this.namespaces.subscribe((change) => {
      if (!isSame(change)) for (const key of keysOf(change)) this.#touchRoutes(`namespace/${key}`, touched);
    });
  }

  /** Whether a GatewayClass names this controller. */
  hasOwnClass(): boolean {
    return [...this.classes.all()].some((packed) => isOwnClass(packed.object()));
  }

  /** The Gateway at `key` if its class names this controller. */
  ownGateway(key: string): GatewayObject | undefined {
    const gateway = this.gateways.get(key as ObjectKey);
    return gateway && isOwnClass(this.classOf(gateway)) ? gateway : undefined;
  }

  /** The class of `gateway`, whoever serves it; undefined if it does not exist. */
  classOf({ spec }: Gateway): GatewayClassObject | undefined {
    return this.classes.get(`/${spec.gatewayClassName}`);
  }

  /** The routes that name the Gateway at `key` as a parent. */
  routesOf(key: string): Route[] {
    return this.#references.sources(`gateway/${key}`).flatMap((source) => this.route(source) ?? []);
  }

  /** The route that is queued by `key`. */
  route(key: ObjectKey): RouteObject | undefined {
    const [kind, ...rest] = key.split('/');
    const found = routeKinds.find((each) => each.toLowerCase() === kind);
    return found && this.routes[found].get(rest.join('/') as ObjectKey);
  }

  /** The keys of all classes, Gateways and routes. */
  *keys(): Iterable<ObjectKey> {
    for (const { key } of this.classes.all()) yield `class/${key}`;
    for (const { key } of this.gateways.all()) yield `gateway/${key}`;
    for (const [kind, store] of Object.entries(this.routes))
      for (const { key } of store.all()) yield routeKey(kind, key);
    yield* this.policies.keys();
  }

  #touchClass(key: ObjectKey, touched: Touched): void {
    touched(key, 'now');
    for (const gateway of this.gateways.packedGroup(key)) {
      touched(`gateway/${gateway.key}`, 'now');
      this.#touchPolicies('Gateway', gateway.key, touched);
    }
  }

  #touchGateway(key: ObjectKey, change: ObjectChange<GatewayObject>, touched: Touched): void {
    touched(key, 'now');
    if (isSameGeneration(change)) return;
    const { metadata, spec } = change.now?.object() ?? {};
    const { namespace } = metadata ?? {};
    this.#references.set(key, [
      ...parametersOf(spec?.infrastructure?.parametersRef, namespace),
      ...certificateGrants(spec?.listeners ?? [], namespace),
    ]);
    for (const route of this.#references.sources(key)) touched(route, 'now');
    this.#touchPolicies('Gateway', key.slice('gateway/'.length) as ObjectKey, touched);
  }

  #touchPolicies(kind: string, key: ObjectKey, touched: Touched): void {
    for (const policy of this.policies.keysOf(kind, key)) touched(policy, 'now');
  }

  #routeChanged(key: ObjectKey, change: ObjectChange<RouteObject>, touched: Touched): void {
    touched(key, 'now');
    if (isSameGeneration(change)) return;
    const before = this.#parents(key);
    this.#references.set(key, change.now === undefined ? [] : referencesOf(change.now.object()));
    const parents = new Set([...before, ...this.#parents(key)]);
    for (const parent of parents) {
      touched(parent, 'now');
      // Which of several routes serves a listener depends on all of them.
      for (const sibling of this.#references.sources(parent)) if (sibling !== key) touched(sibling, 'now');
    }
  }

  #touchRoutes(target: string, touched: Touched): void {
    for (const route of this.#references.sources(target)) touched(route, 'now');
    this.#touchParents(target, touched);
  }

  /** The target of a policy that changed: a Gateway with its routes, or a route with its Gateways. */
  #touchTarget(kind: string, target: ObjectKey, touched: Touched): void {
    if (kind !== 'Gateway' && !isRouteKind(kind)) return;
    const key: ObjectKey = kind === 'Gateway' ? `gateway/${target}` : routeKey(kind, target);
    touched(key, 'now');
    const others = kind === 'Gateway' ? this.#references.sources(key) : this.#parents(key);
    for (const other of others) touched(other, 'now');
  }

  /** The routes that depend on the ports of endpoints: of Gateways with policies, which may have port ranges. */
  #touchRanged(target: string, touched: Touched): void {
    for (const route of this.#references.sources(target)) {
      const gateways = this.#parents(route).map((parent) => parent.slice('gateway/'.length) as ObjectKey);
      if (gateways.some((key) => this.policies.keysOf('Gateway', key).length > 0)) touched(route, 'soon');
    }
  }

  #touchParents(target: string, touched: Touched): void {
    const parents = this.#references.sources(target).flatMap((route) => this.#parents(route));
    for (const parent of new Set(parents)) touched(parent, 'soon');
  }

  /** The keys of the Gateways that the route at `key` names as parents. */
  #parents(key: ObjectKey): ObjectKey[] {
    return this.#references
      .targets(key)
      .filter((target): target is ObjectKey => target.startsWith('gateway/'));
  }
}

/** Whether `gatewayClass` names this controller. */
export function isOwnClass(gatewayClass: GatewayClassObject | undefined): boolean {
  return gatewayClass?.spec.controllerName === controllerName;
}

function serviceOfSlice({ metadata: { namespace, labels } }: EndpointSliceObject): ObjectKey | undefined {
  const service = labels?.[serviceNameLabel];
  return service === undefined ? undefined : `${namespace}/${service}`;
}

function routeKey(kind: string, key: ObjectKey): ObjectKey {
  return `${kind.toLowerCase()}/${key}`;
}

function parametersOf(ref: ParametersRef | undefined, namespace?: string): string[] {
  const key = parametersKey(ref, namespace);
  return key === undefined ? [] : [`parameters/${key}`];
}

/** The grants that references to certificates in other namespaces depend on. */
function certificateGrants(listeners: readonly Listener[], own: string | undefined): string[] {
  const others = listeners
    .flatMap(({ tls }) => tls?.certificateRefs ?? [])
    .flatMap(({ namespace = own }) => (namespace === undefined || namespace === own ? [] : namespace));
  return [...new Set(others)].map((namespace) => `granted/${namespace}/*`);
}

/** What the status of `route`, or what its Gateways run, depends on. */
function referencesOf(route: Route): string[] {
  const { namespace } = route.metadata;
  const parents = (route.spec.parentRefs ?? []).flatMap((ref) => parentKey(route, ref) ?? []);
  const backends = backendRefs(route).map((ref) => ({
    namespace: backendNamespace(route, ref),
    name: ref.name,
  }));
  return [
    ...new Set([
      `namespace//${namespace}`,
      ...parents.map((key) => `gateway/${key}`),
      ...backends.map((backend) => `service/${backend.namespace}/${backend.name}`),
      ...backends
        .filter((backend) => backend.namespace !== namespace)
        .map((backend) => `granted/${backend.namespace}/*`),
    ]),
  ];
}

import type { BackendPort } from './references.ts';
import type { BackendService, EndpointSlice, SliceEndpoint } from './types.ts';

/** Where connections are relayed to. */
export type EndpointAddress = { readonly address: string; readonly port: number };

type State = 'ready' | 'draining' | 'down';
type Found = EndpointAddress & {
  readonly family: string;
  readonly state: State;
  /** The UID of the Pod behind it, if it is known. */
  readonly target: string | undefined;
};

/** What is dialled for `port` of `service`: its endpoints in `slices`, or its cluster IP, if it has one and `dialled` requests that. Pure. */
export function backendAddresses(
  service: BackendService,
  port: BackendPort,
  slices: readonly EndpointSlice[],
  dialled: 'EndpointSlices' | 'ClusterIP' = 'EndpointSlices',
): EndpointAddress[] {
  const { clusterIPs: [address = 'None'] = [] } = service.spec;
  if (dialled === 'EndpointSlices' || address === 'None' || address === '')
    return endpointAddresses(service, port, slices);
  return [{ address, port: port.port }];
}

/**
 * The endpoints of `port` of `service` in `slices`, sorted: those that are ready, or if none is, those that still serve while
 * they terminate, as kube-proxy does (KEP-1669). A Pod of both families counts once, by the first family of the Service. Pure.
 */
export function endpointAddresses(
  service: BackendService,
  port: BackendPort,
  slices: readonly EndpointSlice[],
): EndpointAddress[] {
  const found = slices.flatMap((slice) => ofSlice(slice, port));
  const ready = found.filter(({ state }) => state === 'ready');
  const serving = ready.length > 0 ? ready : found.filter(({ state }) => state === 'draining');
  const { ipFamilies: [first = 'IPv4'] = [] } = service.spec;
  const distinct = new Map(
    onceEach(serving, first).map(({ address, port: number }) => [
      `${address} ${String(number)}`,
      { address, port: number },
    ]),
  );
  return [...distinct].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, each]) => each);
}

/** Without the endpoints of the other family whose Pods, or if their Pods are not known, whose Service has the `first` one. */
function onceEach(endpoints: readonly Found[], first: string): readonly Found[] {
  const preferred = endpoints.filter(({ family }) => family === first);
  const known = new Set(preferred.map(({ target }) => target));
  const others = endpoints.filter(
    ({ family, target }) =>
      family !== first && (target === undefined ? preferred.length === 0 : !known.has(target)),
  );
  return [...preferred, ...others];
}

function ofSlice({ addressType, ports, endpoints }: EndpointSlice, wanted: BackendPort): Found[] {
  if (addressType !== 'IPv4' && addressType !== 'IPv6') return []; // FQDN, which has no meaning of its own yet
  // A slice names its ports as the Service does; a Service of one port may leave the name out.
  const port = (ports ?? []).find(
    ({ name = '', protocol = 'TCP' }) =>
      name === (wanted.name ?? '') && protocol === (wanted.protocol ?? 'TCP'),
  )?.port;
  if (port === undefined) return [];
  return (endpoints ?? []).flatMap((endpoint) => {
    const [address] = endpoint.addresses; // all of one endpoint are the same, by definition of EndpointSlice
    const found = { port, family: addressType, state: stateOf(endpoint), target: endpoint.targetRef?.uid };
    return address === undefined ? [] : [{ ...found, address }];
  });
}

function stateOf({ conditions: { ready, serving, terminating } = {} }: SliceEndpoint): State {
  if (ready !== false) return 'ready';
  return serving === true && terminating === true ? 'draining' : 'down';
}

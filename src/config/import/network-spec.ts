import type { NetworkSpec } from '../../api/schema/realm-relay.ts';
import { present } from '../../lib/record.ts';
import type { AcceptProxy, EndpointNetwork } from '../network-keys.ts';

/** `network` as a RealmRelay says it where `base` holds already; undefined where nothing is to say. */
export function networkSpec(network: EndpointNetwork, base: EndpointNetwork): NetworkSpec | undefined {
  const spec = {
    ...differing(plainFields(network), plainFields(base)),
    ...present('allowedSources', allowedSources(network, base)),
    ...present('sendProxy', sendProxy(network, base)),
    ...present('acceptProxy', acceptProxy(network, base)),
  };
  return Object.keys(spec).length === 0 ? undefined : spec;
}

function plainFields(network: EndpointNetwork) {
  return {
    ipv6Only: network.ipv6Only,
    tcp: network.tcp,
    udp: network.udp,
    tcpTimeoutSeconds: network.tcpTimeoutMs / 1000,
    udpTimeoutSeconds: network.udpTimeoutMs / 1000,
    tcpKeepaliveSeconds: network.tcpKeepaliveMs / 1000,
    tcpKeepaliveProbes: network.tcpKeepaliveProbes,
    tcpIdleTimeoutSeconds: network.tcpIdleTimeoutMs / 1000,
    maxConnections: network.maxConnections,
    maxWaiting: network.maxWaiting,
  };
}

function differing<T extends object>(fields: T, base: T): Partial<T> {
  const entries = Object.entries(fields).filter(([key, value]) => value !== base[key as keyof T]);
  return Object.fromEntries(entries) as Partial<T>;
}

/** No endpoint can take back the list of `base`. */
function allowedSources(network: EndpointNetwork, base: EndpointNetwork): NetworkSpec['allowedSources'] {
  const { allowedSources: sources } = network;
  return sources.join() === base.allowedSources.join() ? undefined : [...sources];
}

/** Version 2 is the default, so it is said only where `base` has another. */
function sendProxy(
  { sendProxyVersion: version }: EndpointNetwork,
  { sendProxyVersion: base }: EndpointNetwork,
): NetworkSpec['sendProxy'] {
  if (version === base) return undefined;
  if (version === undefined) return { enabled: false };
  return {
    ...(base === undefined && { enabled: true }),
    ...(version !== (base ?? 2) && { version }),
  };
}

/** Where both have one, what is not said anew is that of `base`; no endpoint can take back its list of sources. */
function acceptProxy(
  { acceptProxy: accept }: EndpointNetwork,
  { acceptProxy: base }: EndpointNetwork,
): NetworkSpec['acceptProxy'] {
  if (accept === undefined) return base && { enabled: false };
  const { timeoutMs, trustedSources: sources } = accept;
  const before = base ?? acceptProxyDefaults;
  const spec = {
    ...(base === undefined && { enabled: true }),
    ...(timeoutMs !== before.timeoutMs && { timeoutSeconds: timeoutMs / 1000 }),
    ...(sources.join() !== before.trustedSources.join() && { trustedSources: [...sources] }),
  };
  return Object.keys(spec).length === 0 ? undefined : spec;
}

const acceptProxyDefaults: AcceptProxy = { timeoutMs: 5000, trustedSources: [] };

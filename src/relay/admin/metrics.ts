import {
  buildInfo,
  createRegistry,
  register,
  registerHistogram,
  type MetricFamily,
  type Registry,
} from '../../telemetry/metrics.ts';
import type { Traffic } from '../stats/traffic.ts';
import { family, type Values } from './endpoint-family.ts';
import { histogramFamilies } from './histogram-metrics.ts';
import { remoteFamilies } from './remote-metrics.ts';
import type { EndpointStatus, RelayStatus } from './status.ts';

/** A registry that reads `status` at each scrape; the configuration bounds the number of label values. */
export function relayRegistry(status: () => RelayStatus): Registry {
  const registry = createRegistry();
  for (const each of relayFamilies(status)) register(registry, each);
  for (const each of histogramFamilies(status)) registerHistogram(registry, each);
  return registry;
}

/** Every metric of the relay. */
function relayFamilies(status: () => RelayStatus): readonly MetricFamily[] {
  return [
    buildInfo('realm_relay_build_info'),
    engineInfo(status),
    ...processFamilies(status),
    logFamily(status),
    datagramFamily(status),
    ...connectionFamilies(status),
    ...associationFamilies(status),
    ...remoteFamilies(status),
    family('counter', status)(
      'bytes_total',
      'Bytes received, by protocol and sending side.',
      ['protocol', 'from'],
      (endpoint) => [...bytes('tcp', endpoint.connections), ...bytes('udp', endpoint.associations)],
    ),
  ];
}

function engineInfo(status: () => RelayStatus): MetricFamily {
  return {
    name: 'realm_relay_engine_info',
    help: 'Always 1, with the engine that moves the bytes as label: kernel or node.',
    type: 'gauge',
    labels: ['engine'],
    read: () => [{ labels: { engine: status().engine }, value: 1 }],
  };
}

function processFamilies(status: () => RelayStatus): readonly MetricFamily[] {
  return [
    {
      name: 'realm_relay_ready',
      help: '1 if every endpoint is ready and the relay is not draining, else 0.',
      type: 'gauge',
      labels: [],
      read: () => [{ labels: {}, value: Number(status().ready) }],
    },
    {
      name: 'realm_relay_config_rejected',
      help: '1 if the newest configuration was rejected and the previous one stays active, else 0.',
      type: 'gauge',
      labels: [],
      read: () => [{ labels: {}, value: Number(status().configProblem !== '') }],
    },
    {
      name: 'realm_relay_descriptors_short',
      help: '1 while the relay is at its file descriptor limit and new TCP clients wait in the kernel, else 0.',
      type: 'gauge',
      labels: [],
      read: () => [{ labels: {}, value: status().descriptorsShort }],
    },
    ...memoryFamilies(status),
    {
      name: 'realm_relay_workers',
      help: 'Threads that serve clients.',
      type: 'gauge',
      labels: [],
      read: () => [{ labels: {}, value: status().workers?.running.length ?? 1 }],
    },
    {
      name: 'realm_relay_workers_replaced_total',
      help: 'Threads that failed and were replaced.',
      type: 'counter',
      labels: [],
      read: () => [{ labels: {}, value: status().workers?.replaced ?? 0 }],
    },
    family('gauge', status)(
      'endpoint_ready',
      '1 if all sockets of the endpoint are bound and its certificates are loaded, else 0.',
      [],
      ({ ready }) => [[[], Number(ready)]],
    ),
  ];
}

function logFamily(status: () => RelayStatus): MetricFamily {
  return {
    name: 'realm_relay_log_lines_dropped_total',
    help: 'Log lines dropped because the log was full, failed, or was not read.',
    type: 'counter',
    labels: [],
    read: () => [{ labels: {}, value: status().logLinesDropped }],
  };
}

function datagramFamily(status: () => RelayStatus): MetricFamily {
  return {
    name: 'realm_relay_datagrams_lost_total',
    help: 'UDP datagrams lost because a socket had no room: a listening one to receive them, or one to send them; always 0 with the engine node.',
    type: 'counter',
    labels: [],
    read: () => [{ labels: {}, value: status().datagramsLost }],
  };
}

function memoryFamilies(status: () => RelayStatus): readonly MetricFamily[] {
  return [
    {
      name: 'realm_relay_memory_budget_bytes',
      help: 'Memory that clients may make the relay use beside a fixed amount each.',
      type: 'gauge',
      labels: [],
      read: () => [{ labels: {}, value: status().memory.budgetBytes }],
    },
    {
      name: 'realm_relay_memory_used_bytes',
      help: 'Used part of the memory budget: read buffers, bytes that wait to be written, and datagrams that wait.',
      type: 'gauge',
      labels: [],
      read: () => [{ labels: {}, value: status().memory.usedBytes }],
    },
    {
      name: 'realm_relay_memory_dropped_total',
      help: 'How often the waiting datagrams of a UDP association were dropped, because they exceeded their part of the memory budget.',
      type: 'counter',
      labels: [],
      read: () => [{ labels: {}, value: status().memory.dropped }],
    },
  ];
}

function connectionFamilies(status: () => RelayStatus): readonly MetricFamily[] {
  const gauge = family('gauge', status);
  const counter = family('counter', status);
  return [
    gauge('connections_active', 'Open TCP connections.', [], ({ connections }) => [[[], connections.active]]),
    counter('connections_total', 'TCP connections accepted.', [], ({ connections }) => [
      [[], connections.total],
    ]),
    counter(
      'connections_failed_total',
      'TCP connections that failed, by the side that caused it.',
      ['side'],
      (endpoint) => Object.entries(endpoint.connections.failed).map(([side, count]) => [[side], count]),
    ),
    counter(
      'connections_probes_total',
      'TCP connections that a client closed without sending anything, as load balancers check; not counted as failed.',
      [],
      ({ probes }) => [[[], probes]],
    ),
    gauge('connections_waiting', 'TCP clients waiting for a free connection slot.', [], ({ waiting }) => [
      [[], waiting],
    ]),
    counter(
      'connections_refused_total',
      'TCP clients refused, by reason: NoPlace (queue full or file descriptor limit reached), SourceNotAllowed (not in allowed_sources), TooManyOfClient (max_connections_per_client reached), RelayLoop (a remote leads back to the relay), BackendRefused (share of a backend with refuse); of endpoints with sni, and of those of a port counted at the first: UnknownServerName (no endpoint serves the name), InvalidClientHello (no ClientHello of TLS), ClientHelloTimeout (it took too long).',
      ['reason'],
      (endpoint) => [...refusals(endpoint, 'connections'), ...helloRefusals(endpoint)],
    ),
  ];
}

function associationFamilies(status: () => RelayStatus): readonly MetricFamily[] {
  const gauge = family('gauge', status);
  const counter = family('counter', status);
  return [
    gauge('associations_active', 'Open UDP associations.', [], ({ associations }) => [
      [[], associations.active],
    ]),
    counter('associations_total', 'UDP associations created.', [], ({ associations }) => [
      [[], associations.total],
    ]),
    counter(
      'associations_failed_total',
      'UDP associations that failed because no remote worked.',
      [],
      (endpoint) => [[[], endpoint.associations.failed.upstream]],
    ),
    counter(
      'associations_refused_total',
      'UDP datagrams refused an association, by reason: NoPlace (file descriptor limit reached), SourceNotAllowed (not in allowed_sources), TooManyOfClient (max_connections_per_client reached), RelayLoop (a remote leads back to the relay), BackendRefused (share of a backend with refuse).',
      ['reason'],
      (endpoint) => refusals(endpoint, 'associations'),
    ),
    counter(
      'associations_evicted_total',
      'UDP associations evicted to make room for another client.',
      [],
      ({ evicted }) => [[[], evicted]],
    ),
  ];
}

function refusals(
  { refused, notAllowed, tooManyOfClient, looped, backendRefused }: EndpointStatus,
  what: 'connections' | 'associations',
): Values {
  return [
    [['NoPlace'], refused[what]],
    [['SourceNotAllowed'], notAllowed[what]],
    [['TooManyOfClient'], tooManyOfClient[what]],
    [['RelayLoop'], looped[what]],
    [['BackendRefused'], backendRefused[what]],
  ];
}

function helloRefusals({ sni }: EndpointStatus): Values {
  if (sni === undefined) return [];
  return [
    [['UnknownServerName'], sni.refused.unknownName],
    [['InvalidClientHello'], sni.refused.invalid],
    [['ClientHelloTimeout'], sni.refused.late],
  ];
}

function bytes(protocol: string, traffic: Traffic): Values {
  return [
    [[protocol, 'client'], traffic.fromClientBytes],
    [[protocol, 'upstream'], traffic.fromUpstreamBytes],
  ];
}

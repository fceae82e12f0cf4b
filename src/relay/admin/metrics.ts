import {
  buildInfo,
  createRegistry,
  register,
  type MetricFamily,
  type Registry,
  type Sample,
} from '../../telemetry/metrics.ts';
import type { Traffic } from '../stats/traffic.ts';
import type { RemoteHealth } from '../upstream/remote.ts';
import type { EndpointStatus, RelayStatus } from './status.ts';

/** A registry that reads `status` at each scrape; the configuration bounds the number of label values. */
export function relayRegistry(status: () => RelayStatus): Registry {
  const registry = createRegistry();
  for (const family of relayFamilies(status)) register(registry, family);
  return registry;
}

/** Every metric of the relay. */
function relayFamilies(status: () => RelayStatus): readonly MetricFamily[] {
  return [
    buildInfo('realm_relay_build_info'),
    engineInfo(status),
    ...processFamilies(status),
    logFamily(status),
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
      'TCP clients refused, by reason: NoPlace (queue full or file descriptor limit reached), SourceNotAllowed (not in allowed_sources), TooManyOfClient (max_connections_per_client reached), RelayLoop (a remote leads back to the relay).',
      ['reason'],
      (endpoint) => refusals(endpoint, 'connections'),
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
      'UDP datagrams refused an association, by reason: NoPlace (file descriptor limit reached), SourceNotAllowed (not in allowed_sources), TooManyOfClient (max_connections_per_client reached), RelayLoop (a remote leads back to the relay).',
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

function remoteFamilies(status: () => RelayStatus): readonly MetricFamily[] {
  const labels = ['protocol', 'remote'];
  return [
    family('gauge', status)(
      'remote_healthy',
      '1 if the remote is tried in turn, 0 if it is ejected or unhealthy and tried last; absent while remote_unknown is 1.',
      labels,
      (endpoint) => remotes(endpoint, ({ healthy }) => (healthy === null ? undefined : Number(healthy))),
    ),
    family('gauge', status)(
      'remote_unknown',
      '1 until the first dial or check of the remote has ended, so that its health is unknown, else 0.',
      labels,
      (endpoint) => remotes(endpoint, ({ state }) => Number(state === 'unknown')),
    ),
    family('gauge', status)(
      'remote_active',
      'Open connections or associations of the remote.',
      labels,
      (endpoint) => remotes(endpoint, ({ active }) => active),
    ),
    family('counter', status)('remote_dials_total', 'Dials of the remote.', labels, (endpoint) =>
      remotes(endpoint, ({ dials }) => dials),
    ),
    family('counter', status)(
      'remote_dials_failed_total',
      'Failed dials of the remote.',
      labels,
      (endpoint) => remotes(endpoint, ({ failed }) => failed),
    ),
  ];
}

/** @param value  undefined = the remote has no sample. */
function remotes({ health }: EndpointStatus, value: (remote: RemoteHealth) => number | undefined): Values {
  return Object.entries(health).flatMap(([protocol, each]) =>
    each.flatMap((remote): Values => {
      const sample = value(remote);
      return sample === undefined ? [] : [[[protocol.toLowerCase(), remote.address], sample]];
    }),
  );
}

type Values = readonly (readonly [labels: readonly string[], value: number])[];

function refusals(
  { refused, notAllowed, tooManyOfClient, looped }: EndpointStatus,
  what: 'connections' | 'associations',
): Values {
  return [
    [['NoPlace'], refused[what]],
    [['SourceNotAllowed'], notAllowed[what]],
    [['TooManyOfClient'], tooManyOfClient[what]],
    [['RelayLoop'], looped[what]],
  ];
}

function bytes(protocol: string, traffic: Traffic): Values {
  return [
    [[protocol, 'client'], traffic.fromClientBytes],
    [[protocol, 'upstream'], traffic.fromUpstreamBytes],
  ];
}

/** Makes metric families of one type with the label `endpoint`, and others. */
function family(type: 'counter' | 'gauge', status: () => RelayStatus) {
  return (
    name: string,
    help: string,
    labels: readonly string[],
    values: (endpoint: EndpointStatus) => Values,
  ): MetricFamily => ({
    name: `realm_relay_${name}`,
    help,
    type,
    labels: ['endpoint', ...labels],
    read: () => status().endpoints.flatMap((endpoint) => samples(endpoint, labels, values(endpoint))),
  });
}

function samples({ name }: EndpointStatus, labels: readonly string[], values: Values): Sample[] {
  return values.map(([words, value]) => ({
    labels: {
      endpoint: name,
      ...Object.fromEntries(labels.map((label, index) => [label, words[index] ?? ''])),
    },
    value,
  }));
}

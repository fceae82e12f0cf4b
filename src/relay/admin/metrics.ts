import {
  buildInfo,
  createRegistry,
  register,
  type MetricFamily,
  type Registry,
  type Sample,
} from '../../telemetry/metrics.ts';
import type { WorkersStatus } from '../data-plane/data-plane.ts';
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
    ...processFamilies(status),
    ...connectionFamilies(status),
    ...associationFamilies(status),
    ...remoteFamilies(status),
    family('counter', status)(
      'bytes_total',
      'Bytes read, by protocol and side.',
      ['protocol', 'from'],
      (endpoint) => [...bytes('tcp', endpoint.connections), ...bytes('udp', endpoint.associations)],
    ),
  ];
}

function processFamilies(status: () => RelayStatus): readonly MetricFamily[] {
  return [
    {
      name: 'realm_relay_ready',
      help: '1 when every endpoint is ready and nothing drains.',
      type: 'gauge',
      labels: [],
      read: () => [{ labels: {}, value: Number(status().ready) }],
    },
    {
      name: 'realm_relay_config_rejected',
      help: '1 while the newest configuration does not run.',
      type: 'gauge',
      labels: [],
      read: () => [{ labels: {}, value: Number(status().configProblem !== '') }],
    },
    {
      name: 'realm_relay_descriptors_short',
      help: 'Processes of the relay without file descriptors for another TCP client; clients wait in the kernel.',
      type: 'gauge',
      labels: [],
      read: () => [{ labels: {}, value: status().descriptorsShort }],
    },
    {
      name: 'realm_relay_workers',
      help: 'Worker processes that run; none where the relay is one process.',
      type: 'gauge',
      labels: [],
      read: () => workerSample(status(), ({ running }) => running.length),
    },
    {
      name: 'realm_relay_workers_replaced_total',
      help: 'Worker processes that ended and were replaced.',
      type: 'counter',
      labels: [],
      read: () => workerSample(status(), ({ replaced }) => replaced),
    },
    family('gauge', status)(
      'endpoint_ready',
      '1 when all sockets of the endpoint are bound.',
      [],
      ({ ready }) => [[[], Number(ready)]],
    ),
  ];
}

function workerSample({ workers }: RelayStatus, value: (workers: WorkersStatus) => number): Sample[] {
  return workers === undefined ? [] : [{ labels: {}, value: value(workers) }];
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
      'TCP connections that failed, by the side of the error.',
      ['side'],
      (endpoint) => Object.entries(endpoint.connections.failed).map(([side, count]) => [[side], count]),
    ),
    gauge('connections_waiting', 'TCP clients that wait for a place.', [], ({ waiting }) => [[[], waiting]]),
    counter(
      'connections_refused_total',
      'TCP clients that were reset: NoPlace, too many waited or file descriptors were short; SourceNotAllowed, by allowed_sources.',
      ['reason'],
      ({ refused, notAllowed }) => refusals(refused.connections, notAllowed.connections),
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
    counter('associations_total', 'UDP associations made.', [], ({ associations }) => [
      [[], associations.total],
    ]),
    counter(
      'associations_failed_total',
      'UDP associations that ended without a working remote.',
      [],
      (endpoint) => [[[], endpoint.associations.failed.upstream]],
    ),
    counter(
      'associations_refused_total',
      'UDP datagrams that made no association: NoPlace, file descriptors were short; SourceNotAllowed, by allowed_sources.',
      ['reason'],
      ({ refused, notAllowed }) => refusals(refused.associations, notAllowed.associations),
    ),
    counter(
      'associations_evicted_total',
      'UDP associations that were ended, idle for longest, since another client needed the room.',
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
      '1 while a remote is tried in its turn, 0 while it is tried last.',
      labels,
      (endpoint) => remotes(endpoint, ({ healthy }) => Number(healthy)),
    ),
    family('gauge', status)('remote_active', 'Connections or associations of a remote.', labels, (endpoint) =>
      remotes(endpoint, ({ active }) => active),
    ),
    family('counter', status)('remote_dials_total', 'Dials of a remote.', labels, (endpoint) =>
      remotes(endpoint, ({ dials }) => dials),
    ),
    family('counter', status)(
      'remote_dials_failed_total',
      'Dials of a remote that failed.',
      labels,
      (endpoint) => remotes(endpoint, ({ failed }) => failed),
    ),
  ];
}

function remotes({ health }: EndpointStatus, value: (remote: RemoteHealth) => number): Values {
  return Object.entries(health).flatMap(([protocol, each]) =>
    each.map((remote) => [[protocol.toLowerCase(), remote.address], value(remote)] as const),
  );
}

type Values = readonly (readonly [labels: readonly string[], value: number])[];

function refusals(noPlace: number, notAllowed: number): Values {
  return [
    [['NoPlace'], noPlace],
    [['SourceNotAllowed'], notAllowed],
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

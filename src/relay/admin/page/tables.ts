// The tables of the relay's page.
import { child, showPill, write, writeName } from '../../../telemetry/page/dom.ts';
import { clockTime } from '../../../telemetry/page/follow.ts';
import { figure, named, sentence, showShare, Table, type Column } from '../../../telemetry/page/table.ts';
import { bytesText, numberText, rateText, sizeText } from '../../../telemetry/page/texts.ts';
import type { RecentError } from '../../stats/recent-errors.ts';
import type { RemoteHealth } from '../../upstream/remote-health.ts';
import type { EndpointStatus } from '../status.ts';
import { active, failures, fromClients, fromRemotes, most, opened, refused } from './figures.ts';

/** An endpoint, and what comes per second; undefined = unknown. */
export type EndpointRow = EndpointStatus & {
  readonly perSecond: {
    readonly opened: number | undefined;
    readonly fromClients: number | undefined;
    readonly fromRemotes: number | undefined;
  };
};

/** A remote of an endpoint. */
export type RemoteRow = RemoteHealth & {
  readonly endpoint: EndpointStatus;
  readonly protocol: 'TCP' | 'UDP';
  readonly share: number | undefined;
  /** Bytes; undefined = unknown. */
  readonly perSecond: { readonly fromClients: number | undefined; readonly fromRemote: number | undefined };
};

/** The most that were open, and the limit, if either says something. */
function openText(endpoint: EndpointStatus): string {
  const { limits, waiting } = endpoint;
  return [
    most(endpoint) > active(endpoint) ? `most ${numberText(most(endpoint))}` : '',
    limits.connections > 0 ? `limit ${numberText(limits.connections)}` : '',
    waiting > 0 ? `${numberText(waiting)} waiting` : '',
  ]
    .filter(Boolean)
    .join(', ');
}

function inTotal(bytes: number): string {
  return bytes === 0 ? '' : sizeText(bytes);
}

const endpointColumns: readonly Column<EndpointRow>[] = [
  {
    title: 'Name',
    show: named(({ name, balance }) => [name, balance === 'off' ? '' : balance]),
    key: ({ name }) => name,
  },
  {
    title: 'Listens on',
    show: named(({ listen, families, protocols }) => [
      listen,
      [protocols, families].flatMap((words) => (words.length > 0 ? words.join(' and ') : [])).join(', '),
    ]),
    key: ({ listen }) => listen,
  },
  {
    title: 'State',
    show: (cell, { ready, message, transportProblem }) => {
      const more = message === '' ? transportProblem : message;
      cell.classList.toggle('sentence', more !== '');
      showPill(cell, ready ? ['Ready', 'good'] : ['Not ready', 'bad'], more);
    },
    key: ({ ready }) => (ready ? 'ready' : 'not ready'),
  },
  {
    title: 'Open',
    isNumber: true,
    show: figure((endpoint) => [numberText(active(endpoint)), openText(endpoint)]),
    key: active,
  },
  {
    title: 'New',
    isNumber: true,
    show: figure((endpoint) => [
      rateText(endpoint.perSecond.opened),
      opened(endpoint) === 0 ? '' : numberText(opened(endpoint)),
    ]),
    key: opened,
  },
  {
    title: 'From clients',
    isNumber: true,
    show: figure((endpoint) => [bytesText(endpoint.perSecond.fromClients), inTotal(fromClients(endpoint))]),
    key: fromClients,
  },
  {
    title: 'From remotes',
    isNumber: true,
    show: figure((endpoint) => [bytesText(endpoint.perSecond.fromRemotes), inTotal(fromRemotes(endpoint))]),
    key: fromRemotes,
  },
  {
    title: 'Failed',
    isNumber: true,
    show: figure((endpoint) => {
      const count = refused(endpoint);
      return [numberText(failures(endpoint)), count > 0 ? `${numberText(count)} refused` : ''];
    }),
    key: (endpoint) => failures(endpoint) + refused(endpoint),
  },
];

/** The endpoints. */
export const endpointTable = new Table<EndpointRow>('endpoints', {
  columns: endpointColumns,
  none: 'The configuration has no endpoints.',
  text: ({ name, listen, message, remotes }) => [name, listen, message, ...remotes].join(' '),
  isProblem: ({ ready, transportProblem, waiting }) => !ready || transportProblem !== '' || waiting > 0,
});

const reasons = { '': '', DialFailed: 'dials fail, tried last', CheckFailed: 'checks fail, tried last' };

const states = {
  healthy: ['Healthy', 'good'],
  unhealthy: ['Unhealthy', 'bad'],
  unknown: ['Unknown', ''],
} as const;

function healthText({ state, reason, lastFailure }: RemoteRow): string {
  if (state === 'unknown') return 'neither dialled nor checked yet';
  return state === 'unhealthy' && lastFailure !== null
    ? `${reasons[reason]}: ${lastFailure.message}`
    : reasons[reason];
}

/** Shows a time, in full if one points at it. */
function showTime(cell: Element, time: string, more: string): void {
  const stamp = child(cell, 0, 'time');
  stamp.setAttribute('datetime', time);
  stamp.setAttribute('title', time);
  write(stamp, time === '' ? '–' : clockTime.format(new Date(time)));
  writeName(child(cell, 1, 'small'), more);
}

const remoteColumns: readonly Column<RemoteRow>[] = [
  { title: 'Remote', show: named(({ address }) => [address, '']), key: ({ address }) => address },
  {
    title: 'Endpoint',
    show: named(({ endpoint, protocol }) => [endpoint.name, protocol]),
    key: ({ endpoint }) => endpoint.name,
  },
  {
    title: 'Health',
    show: (cell, remote) => {
      const more = healthText(remote);
      cell.classList.toggle('sentence', more !== '');
      showPill(cell, states[remote.state], more);
    },
    key: ({ state }) => state,
  },
  {
    title: 'Last check',
    show: (cell, remote) => {
      const { lastCheck } = remote;
      const message = lastCheck?.message ?? '';
      const more = healthText(remote).endsWith(message) ? '' : message;
      cell.classList.toggle('none', lastCheck === null);
      cell.classList.toggle('sentence', more !== '');
      showTime(cell, lastCheck?.time ?? '', more);
    },
    key: ({ lastCheck }) => lastCheck?.time ?? '',
  },
  {
    title: 'Share',
    show: (cell, { share }) => {
      showShare(cell, share);
    },
    key: ({ share }) => share ?? -1,
  },
  {
    title: 'Open',
    isNumber: true,
    show: figure((remote) => [numberText(remote.active), '']),
    key: (remote) => remote.active,
  },
  {
    title: 'Dials',
    isNumber: true,
    show: figure(({ dials, failed }) => [
      numberText(dials),
      failed > 0 ? `${numberText(failed)} failed` : '',
    ]),
    key: ({ dials }) => dials,
  },
  {
    title: 'From clients',
    isNumber: true,
    show: figure((remote) => [bytesText(remote.perSecond.fromClients), inTotal(remote.fromClientBytes)]),
    key: ({ fromClientBytes }) => fromClientBytes,
  },
  {
    title: 'From remote',
    isNumber: true,
    show: figure((remote) => [bytesText(remote.perSecond.fromRemote), inTotal(remote.fromUpstreamBytes)]),
    key: ({ fromUpstreamBytes }) => fromUpstreamBytes,
  },
];

/** The remotes of all endpoints. */
export const remoteTable = new Table<RemoteRow>('remotes', {
  columns: remoteColumns,
  none: 'There are no remotes.',
  text: ({ address, endpoint, protocol, state }) => [address, endpoint.name, protocol, state].join(' '),
  isProblem: ({ state, lastCheck }) => state === 'unhealthy' || lastCheck?.passed === false,
});

const sides = { client: 'client side', upstream: 'remote side', relay: 'relay' };

const errorColumns: readonly Column<RecentError>[] = [
  {
    title: 'Last',
    show: (cell, { time, count }) => {
      showTime(cell, time, count > 1 ? `${numberText(count)} times` : '');
    },
    key: ({ time }) => time,
  },
  {
    title: 'Where',
    show: named(({ endpoint, side }) => [endpoint, sides[side]]),
    key: ({ endpoint }) => endpoint,
  },
  { title: 'What', show: sentence(({ message }) => message), key: ({ message }) => message },
  { title: 'Remedy', show: sentence(({ remedy }) => remedy) },
];

/** The recent errors. */
export const errorTable = new Table<RecentError>('errors', {
  columns: errorColumns,
  none: 'No errors since the relay started.',
  text: ({ endpoint, message, remedy, side }) => [endpoint, message, remedy, sides[side]].join(' '),
  isProblem: () => true,
});

// The script of the operator's page: shows all RealmRelays, those with problems first.
import {
  element,
  showFacts,
  showPill,
  showState,
  showTiles,
  showWarnings,
  write,
  type Pill,
} from '../../telemetry/page/dom.ts';
import { clockTime, Follower, watchFilter } from '../../telemetry/page/follow.ts';
import { figure, named, Table, type Column } from '../../telemetry/page/table.ts';
import { durationText, numberText } from '../../telemetry/page/texts.ts';
import type { RelayRow, RelaysReport } from '../relays-report.ts';

/** Reports kept for curves: two minutes. */
const maxReports = 60;
/** Oldest first. */
let counts: RelaysReport['counts'][] = [];
let path = 'relays';

function pillOf({ ready, isStalled }: RelayRow): Pill {
  if (ready === 'True') return ['Ready', 'good'];
  if (isStalled) return ['Stalled', 'bad'];
  return ready === 'Unknown' ? ['Unknown', ''] : ['Not ready', 'busy'];
}

const columns: readonly Column<RelayRow>[] = [
  {
    title: 'RealmRelay',
    show: named(({ namespace, name }) => [`${namespace}/${name}`, '']),
    key: ({ namespace, name }) => `${namespace}/${name}`,
  },
  {
    title: 'State',
    show: (cell, row) => {
      const isUnready = row.ready !== 'True';
      cell.classList.toggle('sentence', isUnready);
      showPill(cell, pillOf(row), isUnready ? [row.reason, row.message].filter(Boolean).join(': ') : '');
    },
    key: (row) => pillOf(row)[0],
  },
  {
    title: 'Pods',
    isNumber: true,
    show: figure(({ replicas, readyReplicas, updatedReplicas }) => [
      `${numberText(readyReplicas)} of ${numberText(replicas)}`,
      updatedReplicas !== null && updatedReplicas < replicas
        ? `${numberText(updatedReplicas)} up to date`
        : '',
    ]),
    key: ({ readyReplicas }) => readyReplicas,
  },
  {
    title: 'Endpoints',
    isNumber: true,
    show: figure(({ endpoints, unreadyEndpoints }) => [
      numberText(endpoints),
      unreadyEndpoints > 0 ? `${numberText(unreadyEndpoints)} not ready` : '',
    ]),
    key: ({ endpoints }) => endpoints,
  },
  { title: 'Listens on', show: named(({ listening }) => [listening, '']), key: ({ listening }) => listening },
  { title: 'Reached at', show: named(({ addresses }) => [addresses, '']), key: ({ addresses }) => addresses },
  { title: 'Served by', show: named(({ operator }) => [operator, '']), key: ({ operator }) => operator },
];

/** The operator filters: it may have more RealmRelays than it reports. */
const table = new Table<RelayRow>('relays', {
  columns,
  none: 'No RealmRelay matches.',
  text: () => '',
  isProblem: () => true,
});

function stateOf({ isReady, isLeading }: RelaysReport): Pill {
  if (!isReady) return ['Waiting for the API server', 'busy'];
  return isLeading ? ['Leading', 'good'] : ['Standing by', ''];
}

function show(report: RelaysReport): void {
  counts = [...counts, report.counts].slice(-maxReports);
  showState('Operator', stateOf(report));
  showFacts('facts', {
    Instance: report.instance,
    Version: report.version,
    Up: durationText(Date.parse(report.asOf) - Date.parse(report.startedAt)),
    'As of': clockTime.format(new Date(report.asOf)),
  });
  showWarnings('warnings', report.problems);
  const tile = (name: string, count: keyof RelaysReport['counts'], more: string) => ({
    name,
    text: numberText(report.counts[count]),
    more,
    values: counts.map((each) => each[count]),
  });
  showTiles('tiles', [
    tile('RealmRelays', 'total', 'in all watched namespaces'),
    tile('Ready', 'ready', ''),
    tile('Not ready', 'notReady', ''),
    tile('Stalled', 'stalled', 'wait for their owners'),
    tile('Unknown', 'unknown', 'have no status yet'),
  ]);
  table.show(report.relays);
  const left = report.matching - report.relays.length;
  element('more').hidden = left <= 0;
  write(element('more'), `${numberText(left)} more match: filter by namespace or name to see them.`);
}

const follower = new Follower<RelaysReport>({ what: 'Operator', path: () => path, show });

watchFilter(({ words, onlyProblems }) => {
  const query = new URLSearchParams({
    ...(words !== '' && { filter: words }),
    ...(onlyProblems && { problems: '' }),
  });
  path = `relays?${query.toString()}`;
  void follower.refresh();
});
follower.start();

// The script of the relay's page: shows the status, and what changes in it.
import {
  element,
  showFacts,
  showState,
  showTiles,
  showWarnings,
  write,
  writeName,
  type Pill,
} from '../../../telemetry/page/dom.ts';
import { Follower, clockTime, watchFilter } from '../../../telemetry/page/follow.ts';
import { bytesText, durationText, numberText, rateText, sizeText } from '../../../telemetry/page/texts.ts';
import type { EndpointStatus, RelayStatus } from '../status.ts';
import {
  active,
  fromClients,
  fromRemotes,
  opened,
  rate,
  remoteRate,
  shares,
  total,
  warnings,
  type Counter,
  type Snapshot,
} from './figures.ts';
import { endpointTable, errorTable, remoteTable, type EndpointRow, type RemoteRow } from './tables.ts';

/** Snapshots kept for rates and curves: two minutes. */
const maxSnapshots = 60;
/** Oldest first. */
let snapshots: Snapshot[] = [];

function showHeader(status: RelayStatus): void {
  const { relay, pod, version, engine, configHash, workers, openFilesLimit, asOf, startedAt, endpoints } =
    status;
  writeName(element('name'), relay === '' ? 'Relay' : relay);
  const unready = endpoints.filter((endpoint) => !endpoint.ready).length;
  showState(relay === '' ? 'Relay' : relay, stateOf(status, unready));
  showFacts('facts', {
    Pod: pod,
    Version: version,
    Engine: engine,
    Workers: workers === undefined ? '' : String(workers.running.length),
    Up: durationText(Date.parse(asOf) - Date.parse(startedAt)),
    Configuration: configHash.slice(0, 12),
    'Open files': openFilesLimit === null ? '' : `limit ${numberText(openFilesLimit)}`,
    'As of': clockTime.format(new Date(asOf)),
  });
}

function stateOf({ ready, draining }: RelayStatus, unready: number): Pill {
  if (draining) return ['Draining', 'busy'];
  if (ready) return ['Ready', 'good'];
  if (unready === 0) return ['Starting', 'busy'];
  return [unready === 1 ? '1 endpoint is not ready' : `${String(unready)} endpoints are not ready`, 'bad'];
}

function showProblem({ configProblem }: RelayStatus): void {
  element('problem').hidden = configProblem === '';
  write(element('problem-text'), configProblem);
}

function showFigures(now: Snapshot): void {
  const { status } = now;
  const open = snapshots.map((each) => total(each.status, active));
  const memory = snapshots.map((each) => each.status.memory.usedBytes);
  const tile = (
    name: string,
    counter: Counter,
    text: (rate?: number) => string,
    sum: (count: number) => string,
  ) => {
    const values = snapshots.flatMap((each, index) => rate(snapshots[index - 1], each, counter) ?? []);
    const peak = values.length < 2 ? '' : `, at most ${text(Math.max(...values))}`;
    const more = `${sum(total(status, counter))} in all${peak}`;
    return { name, text: text(rate(snapshots.at(-2), now, counter)), more, values };
  };
  showTiles('tiles', [
    {
      name: 'Open connections',
      text: numberText(total(status, active)),
      more: `at most ${numberText(Math.max(...open))} in 2 min`,
      values: open,
    },
    tile('New connections', opened, rateText, numberText),
    tile('From clients', fromClients, bytesText, sizeText),
    tile('From remotes', fromRemotes, bytesText, sizeText),
    {
      name: 'Memory for clients',
      text: sizeText(status.memory.usedBytes),
      more: `budget ${sizeText(status.memory.budgetBytes)}`,
      values: memory,
    },
  ]);
}

function endpointRow(endpoint: EndpointStatus): EndpointRow {
  const now = snapshots.at(-1);
  const perSecond = (counter: Counter): number | undefined =>
    now && rate(snapshots.at(-2), now, counter, endpoint.name);
  return {
    ...endpoint,
    perSecond: {
      opened: perSecond(opened),
      fromClients: perSecond(fromClients),
      fromRemotes: perSecond(fromRemotes),
    },
  };
}

function remoteRows(endpoint: EndpointStatus): RemoteRow[] {
  const [before, now] = [snapshots.at(-2), snapshots.at(-1)];
  return (['TCP', 'UDP'] as const).flatMap((protocol) => {
    const remotes = endpoint.health[protocol];
    const parts = shares(snapshots[0], endpoint.name, protocol, remotes);
    return remotes.map((remote, index) => {
      const perSecond = remoteRate(before, now, { endpoint: endpoint.name, protocol, remote, index });
      return { ...remote, endpoint, protocol, share: parts[index], perSecond };
    });
  });
}

const follower = new Follower<RelayStatus>({
  what: 'Relay',
  path: () => 'status',
  show: (status) => {
    const now = { ms: Date.parse(status.asOf), status };
    snapshots = [...snapshots.filter(({ ms }) => ms < now.ms), now].slice(-maxSnapshots);
    showHeader(status);
    showProblem(status);
    showWarnings('warnings', warnings(status));
    showFigures(now);
    endpointTable.show(status.endpoints.map(endpointRow));
    remoteTable.show(status.endpoints.flatMap(remoteRows));
    errorTable.show(status.recentErrors);
  },
});

watchFilter((filter) => {
  for (const table of [endpointTable, remoteTable, errorTable]) table.filter(filter);
});
follower.start();

// The script of the relay's page: fetches the status every two seconds and shows it. Names and messages are data: they
// enter the page only as text.
import type { RecentError } from '../../stats/recent-errors.ts';
import type { EndpointStatus, RelayStatus } from '../status.ts';
import type { RemoteHealth } from '../../upstream/remote-health.ts';
import {
  child,
  curve,
  element,
  fill,
  plain,
  showPill,
  showShare,
  twoLines,
  write,
  type Column,
  type Pill,
} from './dom.ts';
import {
  active,
  bytesText,
  failures,
  fromClients,
  fromRemotes,
  numberText,
  opened,
  rate,
  rateText,
  refused,
  shares,
  type Counter,
  type Snapshot,
} from './figures.ts';

const periodMs = 2000;
/** Snapshots kept for rates and curves: two minutes. */
const maxSnapshots = 60;
/** Oldest first. */
let snapshots: Snapshot[] = [];

const clockTime = new Intl.DateTimeFormat(undefined, { timeStyle: 'medium' });

function showState({ ready, draining, endpoints, configHash }: RelayStatus): void {
  const unready = endpoints.filter((endpoint) => !endpoint.ready).length;
  showStateWord(stateOf(ready, draining, unready));
  const hash = configHash === '' ? '' : `configuration ${configHash.slice(0, 12)}, `;
  write(element('facts'), `${hash}as of ${clockTime.format(new Date())}`);
}

function showStateWord([word, kind]: Pill): void {
  const state = element('state');
  write(state, word);
  state.className = `pill ${kind}`;
  document.title = `Relay: ${word}`;
}

function stateOf(isReady: boolean, isDraining: boolean, unready: number): Pill {
  if (isDraining) return ['Draining', 'busy'];
  if (isReady) return ['Ready', 'good'];
  if (unready === 0) return ['Starting', 'busy'];
  return [unready === 1 ? '1 endpoint is not ready' : `${String(unready)} endpoints are not ready`, 'bad'];
}

function showProblem({ configProblem }: RelayStatus): void {
  element('problem').hidden = configProblem === '';
  write(element('problem-text'), configProblem);
}

function showTiles(now: Snapshot): void {
  const before = snapshots.at(-2);
  const total = ({ status }: Snapshot): number =>
    status.endpoints.reduce((sum, endpoint) => sum + active(endpoint), 0);
  const rates = (counter: Counter): number[] =>
    snapshots.flatMap((snapshot, index) => rate(snapshots[index - 1], snapshot, counter) ?? []);
  showTile(0, 'Open connections', numberText(total(now)), snapshots.map(total));
  showTile(1, 'New connections', rateText(rate(before, now, opened)), rates(opened));
  showTile(2, 'From clients', bytesText(rate(before, now, fromClients)), rates(fromClients));
  showTile(3, 'From remotes', bytesText(rate(before, now, fromRemotes)), rates(fromRemotes));
}

function showTile(index: number, name: string, text: string, values: readonly number[]): void {
  const tile = child(element('tiles'), index, 'div');
  write(child(tile, 0, 'dt'), name);
  write(child(tile, 1, 'dd'), text);
  curve(child(tile, 2, 'dd'), values, maxSnapshots);
}

/** The present rate of an endpoint's counter. */
function rateOf(counter: Counter, { name }: EndpointStatus): number | undefined {
  const now = snapshots.at(-1);
  return now && rate(snapshots.at(-2), now, counter, name);
}

const endpointColumns: readonly Column<EndpointStatus>[] = [
  { title: 'Name', show: plain(({ name }) => name) },
  {
    title: 'Listens on',
    show: twoLines(({ listen, families, protocols }) => [
      listen,
      [protocols, families].flatMap((words) => (words.length > 0 ? words.join(' and ') : [])).join(', '),
    ]),
  },
  {
    title: 'State',
    show: (cell, { ready, message }) => {
      showPill(cell, ready ? ['Ready', 'good'] : ['Not ready', 'bad'], message);
    },
  },
  {
    title: 'Open',
    isNumber: true,
    show: twoLines((endpoint) => [
      numberText(active(endpoint)),
      endpoint.waiting > 0 ? `${numberText(endpoint.waiting)} waiting` : '',
    ]),
  },
  { title: 'New', isNumber: true, show: plain((endpoint) => rateText(rateOf(opened, endpoint))) },
  {
    title: 'From clients',
    isNumber: true,
    show: plain((endpoint) => bytesText(rateOf(fromClients, endpoint))),
  },
  {
    title: 'From remotes',
    isNumber: true,
    show: plain((endpoint) => bytesText(rateOf(fromRemotes, endpoint))),
  },
  {
    title: 'Failed',
    isNumber: true,
    show: twoLines((endpoint) => {
      const count = refused(endpoint);
      return [numberText(failures(endpoint)), count > 0 ? `${numberText(count)} refused` : ''];
    }),
  },
];

type RemoteRow = RemoteHealth & {
  readonly endpoint: EndpointStatus;
  readonly protocol: 'TCP' | 'UDP';
  readonly share: number | undefined;
};

function remoteRows(endpoint: EndpointStatus): RemoteRow[] {
  return (['TCP', 'UDP'] as const).flatMap((protocol) => {
    const remotes = endpoint.health[protocol];
    const parts = shares(snapshots[0], endpoint.name, protocol, remotes);
    return remotes.map((remote, index) => ({ ...remote, endpoint, protocol, share: parts[index] }));
  });
}

const remoteReasons = {
  '': '',
  DialFailed: 'Ejected after failed dials; tried last.',
  CheckFailed: 'Health checks fail; tried last.',
};

const remoteStates = {
  healthy: ['Healthy', 'good'],
  unhealthy: ['Unhealthy', 'bad'],
  unknown: ['Unknown', ''],
} as const;

const notTried = 'Neither dialled nor checked yet.';

const remoteColumns: readonly Column<RemoteRow>[] = [
  { title: 'Remote', show: plain(({ address }) => address) },
  {
    title: 'Endpoint',
    show: twoLines(({ endpoint, protocol }) => [endpoint.name, `${protocol}, balance ${endpoint.balance}`]),
  },
  {
    title: 'Health',
    show: (cell, { state, reason }) => {
      showPill(cell, remoteStates[state], state === 'unknown' ? notTried : remoteReasons[reason]);
    },
  },
  {
    title: 'Share',
    show: (cell, { share }) => {
      showShare(cell, share);
    },
  },
  { title: 'Open', isNumber: true, show: plain((remote) => numberText(remote.active)) },
  { title: 'Failed dials', isNumber: true, show: plain(({ failed }) => numberText(failed)) },
];

const sides = { client: 'client side', upstream: 'remote side', relay: 'relay' };

const errorColumns: readonly Column<RecentError>[] = [
  {
    title: 'Last',
    show: (cell, { time, count }) => {
      const stamp = child(cell, 0, 'time');
      stamp.setAttribute('datetime', time);
      stamp.setAttribute('title', time);
      write(stamp, clockTime.format(new Date(time)));
      write(child(cell, 1, 'small'), count > 1 ? `${numberText(count)} times` : '');
    },
  },
  { title: 'Where', show: twoLines(({ endpoint, side }) => [endpoint, sides[side]]) },
  { title: 'What', show: plain(({ message }) => message) },
  { title: 'Remedy', show: plain(({ remedy }) => remedy) },
];

function show(now: Snapshot): void {
  showState(now.status);
  showProblem(now.status);
  showTiles(now);
  const { endpoints, recentErrors } = now.status;
  fill('endpoints', endpointColumns, endpoints, 'The configuration has no endpoints.');
  fill('remotes', remoteColumns, endpoints.flatMap(remoteRows), 'There are no remotes.');
  fill('errors', errorColumns, recentErrors, 'No errors since the relay started.');
}

/** @param since  when the relay responded last; undefined if it responds. */
function showLost(since: Date | undefined): void {
  const lost = element('lost');
  lost.hidden = since === undefined;
  document.body.classList.toggle('stale', since !== undefined);
  if (since === undefined) return;
  write(lost, `No answer from the relay since ${clockTime.format(since)}. The data below is from that time.`);
  showStateWord(['Unreachable', 'bad']);
}

/** The status; undefined if the relay does not respond. */
async function fetchStatus(): Promise<RelayStatus | undefined> {
  try {
    const response = await fetch('status', { cache: 'no-store', signal: AbortSignal.timeout(2 * periodMs) });
    return response.ok ? ((await response.json()) as RelayStatus) : undefined;
  } catch {
    return undefined;
  }
}

let respondedAt = new Date();

async function refresh(): Promise<void> {
  const status = await fetchStatus();
  if (status === undefined) {
    showLost(respondedAt);
    return;
  }
  const now = { ms: Date.parse(status.asOf), status };
  snapshots = [...snapshots.filter(({ ms }) => ms < now.ms), now].slice(-maxSnapshots);
  respondedAt = new Date();
  showLost(undefined);
  show(now);
}

/** Refreshes the page every period, except while it is hidden. */
async function poll(): Promise<void> {
  try {
    if (!document.hidden) await refresh();
  } finally {
    setTimeout(() => void poll(), periodMs);
  }
}

void poll();

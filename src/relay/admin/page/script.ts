// The script of the relay's page: asks for the status every two seconds and writes it down. Names and messages are
// data: they get into the page as text alone.
import type { RecentError } from '../../stats/recent-errors.ts';
import type { EndpointStatus, RelayStatus } from '../status.ts';
import type { RemoteHealth } from '../../upstream/remote.ts';
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
  type Look,
} from './figures.ts';

const periodMs = 2000;
/** Looks that are kept for rates and curves: two minutes. */
const mostLooks = 60;
/** Oldest first. */
let looks: Look[] = [];

const clockTime = new Intl.DateTimeFormat(undefined, { timeStyle: 'medium' });

function showState({ ready, draining, endpoints, configHash }: RelayStatus): void {
  const unready = endpoints.filter((endpoint) => !endpoint.ready).length;
  stateIs(stateOf(ready, draining, unready));
  const hash = configHash === '' ? '' : `configuration ${configHash.slice(0, 12)}, `;
  write(element('facts'), `${hash}as of ${clockTime.format(new Date())}`);
}

function stateIs([word, kind]: Pill): void {
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

function showTiles(now: Look): void {
  const before = looks.at(-2);
  const total = ({ status }: Look): number =>
    status.endpoints.reduce((sum, endpoint) => sum + active(endpoint), 0);
  const rates = (counter: Counter): number[] =>
    looks.flatMap((look, index) => rate(looks[index - 1], look, counter) ?? []);
  showTile(0, 'Open connections', numberText(total(now)), looks.map(total));
  showTile(1, 'New connections', rateText(rate(before, now, opened)), rates(opened));
  showTile(2, 'From clients', bytesText(rate(before, now, fromClients)), rates(fromClients));
  showTile(3, 'From remotes', bytesText(rate(before, now, fromRemotes)), rates(fromRemotes));
}

function showTile(index: number, name: string, text: string, values: readonly number[]): void {
  const tile = child(element('tiles'), index, 'div');
  write(child(tile, 0, 'dt'), name);
  write(child(tile, 1, 'dd'), text);
  curve(child(tile, 2, 'dd'), values, mostLooks);
}

/** What an endpoint's counter grows by, as things are now. */
function rateOf(counter: Counter, { name }: EndpointStatus): number | undefined {
  const now = looks.at(-1);
  return now && rate(looks.at(-2), now, counter, name);
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
    const parts = shares(looks[0], endpoint.name, protocol, remotes);
    return remotes.map((remote, index) => ({ ...remote, endpoint, protocol, share: parts[index] }));
  });
}

const remoteReasons = {
  '': '',
  DialFailed: 'Dials fail; it is tried last.',
  CheckFailed: 'Checks fail; it is tried last.',
};

const remoteColumns: readonly Column<RemoteRow>[] = [
  { title: 'Remote', show: plain(({ address }) => address) },
  {
    title: 'Endpoint',
    show: twoLines(({ endpoint, protocol }) => [endpoint.name, `${protocol}, balance ${endpoint.balance}`]),
  },
  {
    title: 'Health',
    show: (cell, { healthy, reason }) => {
      showPill(cell, healthy ? ['Healthy', 'good'] : ['Unhealthy', 'bad'], remoteReasons[reason]);
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

const sides = { client: 'client’s side', upstream: 'remote’s side', relay: 'the relay itself' };

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
  { title: 'What to do', show: plain(({ remedy }) => remedy) },
];

function show(now: Look): void {
  showState(now.status);
  showProblem(now.status);
  showTiles(now);
  const { endpoints, recentErrors } = now.status;
  fill('endpoints', endpointColumns, endpoints, 'The configuration has no endpoints.');
  fill('remotes', remoteColumns, endpoints.flatMap(remoteRows), 'There are none.');
  fill('errors', errorColumns, recentErrors, 'None since the relay was started.');
}

/** @param since  when the relay answered last; undefined = it answers. */
function showLost(since: Date | undefined): void {
  const lost = element('lost');
  lost.hidden = since === undefined;
  document.body.classList.toggle('stale', since !== undefined);
  if (since === undefined) return;
  write(
    lost,
    `The relay has not answered since ${clockTime.format(since)}. What stands below was true then.`,
  );
  stateIs(['Not reachable', 'bad']);
}

/** The status; undefined where it cannot be had. */
async function ask(): Promise<RelayStatus | undefined> {
  try {
    const response = await fetch('status', { cache: 'no-store', signal: AbortSignal.timeout(2 * periodMs) });
    return response.ok ? ((await response.json()) as RelayStatus) : undefined;
  } catch {
    return undefined;
  }
}

let answeredAt = new Date();

async function look(): Promise<void> {
  const status = await ask();
  if (status === undefined) {
    showLost(answeredAt);
    return;
  }
  const now = { ms: performance.now(), status };
  looks = [...looks, now].slice(-mostLooks);
  answeredAt = new Date();
  showLost(undefined);
  show(now);
}

/** Nobody looks at a hidden page: it asks nothing. */
async function follow(): Promise<void> {
  try {
    if (!document.hidden) await look();
  } finally {
    setTimeout(() => void follow(), periodMs);
  }
}

void follow();

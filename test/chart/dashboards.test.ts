import { expect } from 'chai';
import { operatorMetricsList, relayMetricsList } from '../../tools/metrics.ts';
import { relayRegistry } from '../../src/relay/admin/metrics.ts';
import { describeWithHelm, judge } from '../cluster/helm.ts';
import { runOrThrow } from '../cluster/run.ts';
import { config, endpoint, listenOf, Loopback } from '../relay/loopback.ts';
import { eventually } from '../support/eventually.ts';
import { releaseNamespace, rendered, watchedNamespaces } from './chart.ts';

type Place = { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
type Target = { readonly expr: string; readonly legendFormat: string };
type Panel = {
  readonly id: number;
  readonly title: string;
  readonly type: string;
  readonly gridPos: Place;
  readonly targets: readonly Target[];
};
type Dashboard = {
  readonly uid: string;
  readonly templating: { readonly list: readonly { readonly name: string; readonly query: unknown }[] };
  readonly panels: readonly Panel[];
};
type ConfigMap = {
  readonly metadata: { readonly namespace: string; readonly labels: Readonly<Record<string, string>> };
  readonly data: Readonly<Record<string, string>>;
};

/** The labels that Prometheus adds to the series of a Pod. */
const scraped = ['namespace', 'pod'];

/** Whether two places of Grafana's grid do not overlap. */
function areApart(a: Place, b: Place): boolean {
  return a.x + a.w <= b.x || b.x + b.w <= a.x || a.y + a.h <= b.y || b.y + b.h <= a.y;
}

describeWithHelm('chart: dashboards', (helm) => {
  const loopback = new Loopback();
  afterEach(() => loopback.closeAll());
  let dashboards: readonly Dashboard[] = [];

  async function configMap(grafanaDashboard: object): Promise<ConfigMap> {
    const manifests = await rendered(helm, { metrics: { grafanaDashboard } });
    const found = manifests.find(({ metadata }) => metadata.name.endsWith('-grafana'));
    if (found === undefined) throw new Error('no ConfigMap');
    return found as unknown as ConfigMap;
  }

  /** The selectors in `expressions`, one list for each, according to Prometheus' own parser. */
  async function selectors(expressions: readonly string[]): Promise<string[][]> {
    const rules = expressions.map((expr) => ({
      kind: 'PrometheusRule',
      spec: { groups: [{ name: 'panel', rules: [{ alert: 'Panel', expr }] }] },
    }));
    return JSON.parse(
      await runOrThrow([...judge, 'monitoring'], { stdin: JSON.stringify(rules) }),
    ) as string[][];
  }

  before(async () => {
    const { data } = await configMap({ enabled: true });
    dashboards = Object.values(data).map((text) => JSON.parse(text) as Dashboard);
  });

  it('show the operator and relays, in ConfigMaps that the sidecar of Grafana finds', async () => {
    expect(dashboards.map(({ uid }) => uid)).to.deep.equal(['realm-operator-relays', 'realm-operator']);
    const { metadata } = await configMap({ enabled: true });
    expect(metadata.namespace).to.equal(releaseNamespace);
    expect(metadata.labels).to.include({ grafana_dashboard: '1' });
    const [namespace] = watchedNamespaces;
    const elsewhere = await configMap({ enabled: true, namespace, labels: { grafana_dashboard: 'yes' } });
    expect(elsewhere.metadata.namespace).to.equal(namespace);
    expect(elsewhere.metadata.labels).to.include({ grafana_dashboard: 'yes' });
  });

  it('query metrics and labels that the programs have', async () => {
    const metrics = new Map(
      [...relayMetricsList(), ...operatorMetricsList()].map((metric) => [metric.name, metric]),
    );
    const targets = dashboards.flatMap(({ panels }) => panels.flatMap(({ targets: all }) => all));
    expect(targets).to.have.length.above(30);
    const queried = await selectors(targets.map(({ expr }) => expr.replaceAll('$__rate_interval', '1m')));
    for (const [index, { expr, legendFormat }] of targets.entries()) {
      const labels = new Set(scraped);
      for (const selector of queried[index] ?? []) {
        const [, name = ''] = /^(\w+?)(?:_bucket)?(?:\{|$)/.exec(selector) ?? [];
        const known = metrics.get(name);
        if (known === undefined) throw new Error(`no metric "${name}": ${expr}`);
        for (const label of known.labels) labels.add(label);
        const matched = [...selector.matchAll(/(\w+)(?:=~|!~|!=|=)"/g)].map(([, label]) => label);
        expect([...known.labels, ...scraped], expr).to.include.members(matched);
      }
      expect(queried[index], expr).not.to.deep.equal([]);
      const grouped = [...expr.matchAll(/\b(?:by|on) \(([^)]*)\)/g)].flatMap(([, list = '']) =>
        list.split(', '),
      );
      const shown = [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label]) => label);
      expect([...labels, 'le'], `${legendFormat}: ${expr}`).to.include.members([...grouped, ...shown]);
    }
  });

  it('define the variables that they use, and show only the series of the selected Pods', () => {
    for (const dashboard of dashboards) {
      const names = dashboard.templating.list.map(({ name }) => name);
      const used = JSON.stringify(dashboard).matchAll(/\$\{?([a-z]\w*)/g);
      expect(names).to.include.members([...used].map(([, name]) => name));
      for (const { expr } of dashboard.panels.flatMap(({ targets }) => targets))
        expect(expr).to.include('{namespace=~"$namespace", pod=~"$pod"');
    }
  });

  it('have figures and tables as well as curves', () => {
    for (const { panels } of dashboards) {
      const kinds = panels.map(({ type }) => type);
      expect(kinds).to.include.members(['stat', 'table', 'timeseries']);
    }
  });

  it('show something on the metrics of a real relay with traffic', async () => {
    const remote = await loopback.echo();
    const { relay } = await loopback.relay(
      config(
        endpoint(remote, { health_check: {} }, { use_udp: true }),
        endpoint('127.0.0.1:1', { name: 'idle' }),
      ),
    );
    await loopback.exchange(await loopback.client(listenOf(relay)), 'x');
    await eventually('a check', () => relay.status().endpoints[0]?.health.TCP[0]?.lastCheck ?? undefined);
    const lines = (await relayRegistry(() => relay.status()).metrics()).split('\n');
    const [relays] = dashboards;
    const exprs = (relays?.panels ?? []).flatMap(({ targets }) => targets.map(({ expr }) => expr));
    const queried = await selectors(exprs.map((expr) => expr.replaceAll('$__rate_interval', '1m')));
    for (const [index, expr] of exprs.entries()) {
      for (const selector of queried[index] ?? []) {
        const name = selector.replace(/\{.*$/, '');
        const sample = lines.find((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
        expect(sample, `${name} in ${expr}`).not.to.equal(undefined);
      }
    }
  });

  it('have no panel on top of another', () => {
    for (const { panels } of dashboards) {
      const overlaps = panels.flatMap(({ gridPos }, index) =>
        panels.slice(index + 1).filter((other) => !areApart(gridPos, other.gridPos)),
      );
      expect(overlaps.map(({ title }) => title)).to.deep.equal([]);
      const places = panels.map(({ gridPos: { x, y } }) => `${String(x)} ${String(y)}`);
      expect(new Set(places).size).to.equal(panels.length);
      expect(new Set(panels.map(({ id }) => id)).size).to.equal(panels.length);
    }
  });

  it('derive the name of a relay from its Pods’ names, for a Deployment and a DaemonSet', () => {
    const list = dashboards[0]?.templating.list ?? [];
    const { regex = '' } = (list.find(({ name }) => name === 'relay') ?? {}) as { regex?: string };
    const pattern = new RegExp(regex.slice(1, -1));
    const cases = {
      'web-5d8f7c9b6d-x2k4z': 'web',
      'web-2-66c9bfd94-7lqpx': 'web-2',
      'edge-web-x2k4z': 'edge-web',
    };
    for (const [pod, relay] of Object.entries(cases)) expect(pattern.exec(pod)?.[1]).to.equal(relay);
  });
});

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { load } from 'js-yaml';
import { operatorMetricsList, relayMetricsList } from '../../tools/metrics.ts';
import { describeWithHelm, judge } from '../cluster/helm.ts';
import { runOrThrow } from '../cluster/run.ts';
import { chart, find, matrix, rendered, type Manifest, watchedNamespaces } from './chart.ts';

type Alert = {
  readonly alert: string;
  readonly expr: string;
  readonly for: string;
  readonly labels: { readonly severity: string };
  readonly annotations: Readonly<Record<string, string>>;
};

const values = load(readFileSync(join(chart, 'values.yaml'), 'utf8')) as {
  metrics: { prometheusRule: { runbookUrl: string } };
};
const runbooks = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'runbooks.md'), 'utf8');
const anchors = [...runbooks.matchAll(/^### (\w+)$/gm)].map(([, title = '']) => title.toLowerCase());
/** The labels that Prometheus adds to the series of a Pod. */
const scraped = ['namespace', 'pod'];

describeWithHelm('chart: alerts', (helm) => {
  let alerts: readonly Alert[] = [];

  async function rule(values: object = {}): Promise<Manifest> {
    const prometheusRule = { enabled: true, ...values };
    return find(await rendered(helm, { metrics: { prometheusRule } }), 'PrometheusRule');
  }

  before(async () => {
    const { spec } = (await rule()) as unknown as {
      spec: { groups: readonly { rules: readonly Alert[] }[] };
    };
    alerts = spec.groups.flatMap(({ rules }) => rules);
  });

  it('cover the operator, and what may be wrong with relays', () => {
    const names = alerts.map(({ alert }) => alert);
    expect(names).to.have.lengthOf(new Set(names).size);
    expect(names).to.include.members([
      'RealmRelaysNotReady',
      'RealmRelaysStalled',
      'RealmRelayPodNotReady',
      'RealmRelayEndpointNotBound',
      'RealmRelayRemoteUnhealthy',
      'RealmRelayNoHealthyRemote',
      'RealmRelayConfigurationRejected',
      'RealmRelayDescriptorsShort',
      'RealmRelayMemoryShort',
      'RealmRelayLogLinesDropped',
    ]);
    for (const { alert, labels, annotations } of alerts) {
      expect(['warning', 'critical'], alert).to.include(labels.severity);
      expect(Object.keys(annotations), alert).to.have.members(['summary', 'description', 'runbook_url']);
    }
  });

  it('each link to a section of docs/runbooks.md, and each section has its alert', () => {
    const { runbookUrl } = values.metrics.prometheusRule;
    const linked = alerts.map(({ annotations }) => annotations['runbook_url']?.split('#')[1]);
    expect(linked).to.have.members(anchors);
    for (const { alert, annotations } of alerts)
      expect(annotations['runbook_url']).to.equal(`${runbookUrl}#${alert.toLowerCase()}`);
  });

  it('link to runbooks of one’s own', async () => {
    const text = JSON.stringify(await rule({ runbookUrl: 'https://runbooks.example/relays' }));
    expect(text).to.include('https://runbooks.example/relays#realmrelaysnotready');
    expect(text).not.to.include('github.com');
  });

  it('query metrics and labels that the programs have, and name labels that their result has', async () => {
    const metrics = new Map(
      [...relayMetricsList(), ...operatorMetricsList()].map((metric) => [metric.name, metric]),
    );
    const queried = JSON.parse(
      await runOrThrow([...judge, 'monitoring'], {
        stdin: JSON.stringify(alerts.map((alert) => asRule(alert))),
      }),
    ) as string[][];
    expect(queried).to.have.lengthOf(alerts.length);
    for (const [index, { alert, expr, annotations }] of alerts.entries()) {
      const selectors = queried[index] ?? [];
      expect(selectors, alert).not.to.deep.equal([]);
      const known = selectors.map((selector) => {
        const [, name = ''] = /^(\w+?)(?:_bucket)?(?:\{|$)/.exec(selector) ?? [];
        const metric = metrics.get(name);
        if (metric === undefined) throw new Error(`${alert}: no metric "${name}"`);
        const matched = [...selector.matchAll(/(\w+)(?:=~|!~|!=|=)"/g)].map(([, label]) => label);
        expect([...metric.labels, ...scraped], `${alert}: ${selector}`).to.include.members(matched);
        return metric.labels;
      });
      const grouped = [...expr.matchAll(/\bby \(([^)]*)\)/g)].map(([, list = '']) => list.split(', '));
      const labels = [...scraped, 'le', ...known.flat()];
      for (const list of grouped) expect(labels, `${alert}: ${expr}`).to.include.members(list);
      const left = /^(?:max|sum|min|absent)\b/.test(expr) ? (grouped[0] ?? []) : labels;
      const shown = Object.values(annotations).flatMap((text) =>
        [...text.matchAll(/\$labels\.(\w+)/g)].map(([, label]) => label),
      );
      expect(left, `${alert}: ${JSON.stringify(annotations)}`).to.include.members(shown);
    }
  });

  it('are about the namespaces that the operator watches', async () => {
    const all = JSON.stringify(await rule());
    expect(all).to.include('realm_relay_ready{} == 0');
    const manifests = await rendered(helm, {
      ...matrix['some namespaces'],
      metrics: { prometheusRule: { enabled: true } },
    });
    const some = JSON.stringify(find(manifests, 'PrometheusRule'));
    expect(some).to.include(`realm_relay_ready{namespace=~\\"${watchedNamespaces.join('|')}\\"} == 0`);
  });
});

function asRule(alert: Alert): object {
  const { alert: name, expr } = alert;
  return { kind: 'PrometheusRule', spec: { groups: [{ name: 'alerts', rules: [{ alert: name, expr }] }] } };
}

describeWithHelm('chart: PodMonitor', (helm) => {
  const monitor = async (values: object): Promise<Record<string, unknown>> =>
    find(await rendered(helm, values), 'PodMonitor')['spec'] as Record<string, unknown>;
  const metrics = { podMonitor: { enabled: true } };

  it('selects the Pods of relays by labels and a port that they have', async () => {
    const golden = readFileSync(join(import.meta.dirname, '..', 'golden', 'one-endpoint.yaml'), 'utf8');
    const { selector, podMetricsEndpoints } = (await monitor({ metrics })) as {
      selector: { matchLabels: Record<string, string> };
      podMetricsEndpoints: readonly { port: string }[];
    };
    for (const [label, value] of Object.entries(selector.matchLabels))
      expect(golden).to.match(
        new RegExp(`template:\\s+metadata:\\s+labels:\\s(?: +\\S+: \\S+\\s)*? +${label}: ${value}`),
      );
    expect(golden).to.match(new RegExp(`name: ${podMetricsEndpoints[0]?.port ?? ''}\\s`));
  });

  it('looks into the namespaces that the operator watches, or all', async () => {
    expect((await monitor({ metrics }))['namespaceSelector']).to.deep.equal({ any: true });
    const some = await monitor({ metrics, ...matrix['some namespaces'] });
    expect(some['namespaceSelector']).to.deep.equal({ matchNames: watchedNamespaces });
  });

  it('is one that the Prometheus Operator accepts', async () => {
    const object = find(await rendered(helm, matrix['monitoring']), 'PodMonitor');
    await runOrThrow([...judge, 'monitoring'], { stdin: JSON.stringify([object]) });
  });
});

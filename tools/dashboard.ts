/** A panel of a dashboard: a curve for each series of each query. */
type Panel = {
  readonly title: string;
  /** What it shows, and what to do if a value is not normal. */
  readonly description: string;
  /** Grafana's name of the unit. */
  readonly unit: 'short' | 'ops' | 'Bps' | 's' | 'bytes';
  /** PromQL, each with the legend of its series. */
  readonly queries: Readonly<Record<string, string>>;
};

/** A selection for the user; each variable depends on the previous ones. */
type Variable = { readonly name: string; readonly query: string; readonly regex?: string };

/** A dashboard for Grafana. In its queries, `$$` stands for the selection by namespace and Pod. */
export type Dashboard = {
  readonly uid: string;
  readonly title: string;
  readonly variables: readonly Variable[];
  readonly panels: readonly Panel[];
};

/** A dashboard in Grafana's JSON model, without fields that Grafana fills in. */
export function model({ uid, title, variables, panels }: Dashboard): object {
  return {
    uid,
    title,
    tags: ['realm-operator'],
    schemaVersion: 39,
    editable: true,
    refresh: '30s',
    time: { from: 'now-1h', to: 'now' },
    templating: { list: [datasource, ...variables.map(variable)] },
    panels: panels.map(panel),
  };
}

const datasource = { name: 'datasource', type: 'datasource', label: 'Data source', query: 'prometheus' };
const source = { type: 'prometheus', uid: '${datasource}' };

function variable({ name, query, regex = '' }: Variable): object {
  return {
    name,
    type: 'query',
    label: `${name.slice(0, 1).toUpperCase()}${name.slice(1)}`,
    datasource: source,
    query: { qryType: 1, query, refId: name },
    regex,
    refresh: 2, // when the time range changes
    sort: 1,
    multi: true,
    includeAll: true,
    current: { text: ['All'], value: ['$__all'] },
  };
}

/** Two to a row. */
function panel({ title, description, unit, queries }: Panel, index: number): object {
  return {
    id: index + 1,
    type: 'timeseries',
    title,
    description,
    datasource: source,
    gridPos: { x: (index % 2) * 12, y: Math.floor(index / 2) * 8, w: 12, h: 8 },
    fieldConfig: { defaults: { unit, min: 0 }, overrides: [] },
    options: {
      legend: { displayMode: 'list', placement: 'bottom' },
      tooltip: { mode: 'multi', sort: 'desc' },
    },
    targets: Object.entries(queries).map(([legendFormat, query], position) => ({
      refId: String.fromCharCode('A'.charCodeAt(0) + position),
      datasource: source,
      expr: query.replaceAll('$$', () => 'namespace=~"$namespace", pod=~"$pod"'),
      legendFormat,
    })),
  };
}

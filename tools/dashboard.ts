/** A panel of a dashboard: by default a curve for each series of each query. */
export type Panel = {
  readonly title: string;
  /** `stat`: the present values as figures; `table`: a row for each series, a column for each label. */
  readonly kind?: 'stat' | 'table';
  /** Of a stat: from which value on it is red; never by default. */
  readonly badFrom?: number;
  /** What it shows, and what to do if a value is not normal. */
  readonly description: string;
  /** Grafana's name of the unit. */
  readonly unit: 'short' | 'ops' | 'Bps' | 's' | 'bytes' | 'dateTimeFromNow' | 'percentunit';
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
    panels: placed(panels).map(([gridPos, each], index) => panel(gridPos, each, index)),
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

type Place = { readonly x: number; readonly y: number; readonly w: number; readonly h: number };

/** Columns of Grafana's grid. */
const gridWidth = 24;
const sizes = { stat: { w: 4, h: 4 }, table: { w: 12, h: 8 }, timeseries: { w: 12, h: 8 } };

/** The panels with their places: in rows, in order. */
function placed(panels: readonly Panel[]): [Place, Panel][] {
  let [x, y, rowHeight] = [0, 0, 0];
  return panels.map((each) => {
    const { w, h } = sizes[each.kind ?? 'timeseries'];
    if (x + w > gridWidth || (x > 0 && h !== rowHeight)) [x, y] = [0, y + rowHeight];
    const place = { x, y, w, h };
    [x, rowHeight] = [x + w, h];
    return [place, each];
  });
}

function panel(
  gridPos: Place,
  { title, description, kind, unit, badFrom, queries }: Panel,
  index: number,
): object {
  return {
    id: index + 1,
    type: kind ?? 'timeseries',
    title,
    description,
    datasource: source,
    gridPos,
    ...look(kind, unit, badFrom),
    targets: Object.entries(queries).map(([legendFormat, query], position) => ({
      refId: String.fromCharCode('A'.charCodeAt(0) + position),
      datasource: source,
      expr: query.replaceAll('$$', () => 'namespace=~"$namespace", pod=~"$pod"'),
      legendFormat,
      ...(kind !== undefined && { instant: true }),
      ...(kind === 'table' && { format: 'table' }),
    })),
  };
}

/** How a panel of a kind looks, in Grafana's words. */
function look(kind: Panel['kind'], unit: Panel['unit'], badFrom: number | undefined): object {
  if (kind === 'table')
    return {
      fieldConfig: { defaults: { unit, custom: { filterable: true } }, overrides: [] },
      options: { showHeader: true, cellHeight: 'sm' },
      // What every series has, and says nothing here.
      transformations: [
        { id: 'merge', options: {} },
        {
          id: 'organize',
          options: {
            excludeByName: { Time: true, __name__: true, job: true, instance: true, container: true },
          },
        },
      ],
    };
  if (kind === 'stat') {
    const steps = [
      { color: 'green', value: null },
      ...(badFrom === undefined ? [] : [{ color: 'red', value: badFrom }]),
    ];
    return {
      fieldConfig: {
        defaults: { unit, noValue: '0', thresholds: { mode: 'absolute', steps } },
        overrides: [],
      },
      options: {
        colorMode: badFrom === undefined ? 'none' : 'background',
        reduceOptions: { calcs: ['lastNotNull'] },
      },
    };
  }
  return {
    fieldConfig: { defaults: { unit, min: 0 }, overrides: [] },
    options: {
      legend: { displayMode: 'list', placement: 'bottom' },
      tooltip: { mode: 'multi', sort: 'desc' },
    },
  };
}

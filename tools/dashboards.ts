import { model } from './dashboard.ts';
import { operatorDashboard } from './operator-dashboard.ts';
import { relaysDashboard } from './relays-dashboard.ts';

/** The Grafana dashboards of the chart, as JSON by file name. */
export function dashboards(): ReadonlyMap<string, string> {
  return new Map(
    [operatorDashboard, relaysDashboard].map((dashboard) => [
      `${dashboard.uid}.json`,
      `${JSON.stringify(model(dashboard), null, 2)}\n`,
    ]),
  );
}

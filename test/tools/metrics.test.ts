import { expect } from 'chai';
import { operatorMetricsList, relayMetricsList } from '../../tools/metrics.ts';

/** Labels whose values the configuration or the code bounds. */
const bounded = [
  'endpoint',
  'protocol',
  'reason',
  'remote',
  'side',
  'from',
  'outcome',
  'kind',
  'namespace', // one of those that the operator watches
  'controller',
  'name',
  'result',
  'condition',
  'status',
  'code',
  'method',
  'version',
  'node_version',
  'engine',
  'installation',
];

// The rules of `promtool check metrics` and of prometheus.io/docs/practices/naming.
describe('metrics', () => {
  for (const { name, type, labels, help } of [...relayMetricsList(), ...operatorMetricsList()]) {
    it(`${name} follows the naming rules of Prometheus`, () => {
      expect(name).to.match(
        /^(process|realm_relay|realm_operator|controller_runtime|workqueue|rest_client)_[a-z][a-z0-9_]*[a-z0-9]$/,
      );
      expect(name.endsWith('_total'), 'counters, and they alone, end in _total').to.equal(type === 'counter');
      expect(name).to.not.match(/_(count|sum|bucket)$/);
      expect(name, 'the type is not in the name').to.not.match(/_(gauge|counter|histogram|summary)(_|$)/);
      expect(name, 'base units').to.not.match(
        /_(ms|millis\w*|micros\w*|nanos\w*|minutes?|hours?|days?|kilobytes|megabytes|kib|mib|bits|percent)(_|$)/,
      );
      if (type === 'histogram') expect(name).to.match(/_(seconds|bytes)$/);
      expect(help).to.match(/^[1A-Z].*\.$/);
      expect(bounded).to.include.members([...labels]);
    });
  }
});

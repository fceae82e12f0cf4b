import { expect } from 'chai';
import { createRegistry, register } from '../../src/telemetry/metrics.ts';

describe('metrics', () => {
  it('reads a family whenever it is scraped, and forgets labels that are gone', async () => {
    const registry = createRegistry();
    let samples = [{ labels: { endpoint: 'a' }, value: 1 }];
    register(registry, {
      name: 'x_total',
      help: 'X.',
      type: 'counter',
      labels: ['endpoint'],
      read: () => samples,
    });
    expect(await registry.getSingleMetricAsString('x_total')).to.contain('x_total{endpoint="a"} 1');
    samples = [{ labels: { endpoint: 'b' }, value: 5 }];
    const text = await registry.getSingleMetricAsString('x_total');
    expect(text).to.contain('x_total{endpoint="b"} 5').and.to.not.contain('"a"');
  });

  it('describes the process, under the names that all libraries use', async () => {
    const text = await createRegistry().metrics();
    for (const name of [
      'process_cpu_seconds_total',
      'process_resident_memory_bytes',
      'process_start_time_seconds',
    ]) {
      expect(text).to.match(new RegExp(`^${name} [0-9.e+]+$`, 'm'));
    }
  });

  it('has a registry of its own each time', () => {
    const family = { name: 'y', help: 'Y.', type: 'gauge', labels: [], read: () => [] } as const;
    register(createRegistry(), family);
    expect(() => {
      register(createRegistry(), family);
    }).to.not.throw();
  });
});

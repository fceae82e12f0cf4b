import { MemoryBudget } from '../../src/relay/limits/memory-budget.ts';
import { RecentErrors } from '../../src/relay/stats/recent-errors.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { FakeClock } from './fake-clock.ts';

/** A memory budget, by default of more than a test needs. */
export function memoryBudget(budgetBytes = 2 ** 30): MemoryBudget {
  const clock = new FakeClock();
  const log = createLogger('off', { write: () => undefined });
  return new MemoryBudget({ budgetBytes, clock, log, errors: new RecentErrors(clock) });
}

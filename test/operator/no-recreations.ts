import { Recreations } from '../../src/kube/recreations.ts';
import { FakeClock } from '../support/fake-clock.ts';

/** Nothing was deleted yet, and no time passes. */
export function noRecreations(): Recreations {
  return new Recreations({ clock: new FakeClock(), read: () => Promise.resolve(undefined), own: [] });
}

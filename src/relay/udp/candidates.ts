import type { RemotePool } from '../upstream/remote-pool.ts';
import type { Remote } from '../upstream/remote.ts';
import type { Upstream } from './upstream.ts';

/** Whether `pool` may hold anything else than one address of one remote. */
export function hasAlternatives(pool: RemotePool | undefined): boolean {
  const remotes = pool?.remotes ?? [];
  return remotes.length > 1 || remotes.some(({ ip }) => ip === undefined);
}

/** Whether checks of `remote` fail, and those of another one of `pool` pass. */
export function isToLeave(remote: Remote, pool: RemotePool | undefined): boolean {
  return !remote.passesChecks && pool?.remotes.some(({ passesChecks }) => passesChecks) === true;
}

/**
 * The remotes to try for the client at `ip`, in order: first that of the home, whose name may have moved or have other
 * addresses. Remotes whose checks fail are left out, unless the home has failed or its own checks fail like all others.
 *
 * @param home  the remote in use; undefined = none.
 */
export function candidates(
  pool: RemotePool | undefined,
  ip: string,
  home: Pick<Upstream, 'remote' | 'isFailed'> | undefined,
): Iterable<Remote> {
  const lazyOrder = pool?.order(ip) ?? [];
  if (home === undefined) return lazyOrder;
  const order = [...lazyOrder];
  const { remote, isFailed } = home;
  const others = order.filter((each) => each !== remote);
  const passing = others.filter(({ passesChecks }) => passesChecks);
  if (isToLeave(remote, pool)) return passing;
  const rest = remote.passesChecks && !isFailed ? passing : others;
  return remote.ip === undefined && order.includes(remote) ? [remote, ...rest] : rest;
}

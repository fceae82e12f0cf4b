import type { KubeObject } from './object.ts';

/** One operation of a JSON patch. Source: RFC 6902. */
export type PatchOperation =
  | { readonly op: 'test' | 'replace'; readonly path: string; readonly value: unknown }
  | { readonly op: 'remove'; readonly path: string };

/**
 * What applying objects of one kind needs beyond server-side apply. The applier itself knows no kinds: a kind with
 * peculiarities brings its rules along.
 */
export type ApplyRules = {
  /** The part of `desired` that decides whether it is what was applied before: without what the cluster chooses. */
  readonly identity: (desired: KubeObject) => object;
  /**
   * The patch that removes what others added to `observed` and server-side apply leaves there; undefined if there is
   * nothing to remove.
   */
  readonly removal: (desired: KubeObject, observed: KubeObject) => readonly PatchOperation[] | undefined;
  /** The way to the list from which `removal` removes entries, as in `Difference.steps`. */
  readonly cleaned: readonly string[];
};

/** The rules of a kind for which server-side apply is enough. */
export const plainRules: ApplyRules = {
  identity: (desired) => desired,
  removal: () => undefined,
  cleaned: [],
};

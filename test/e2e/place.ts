import type { TestNode } from '../cluster/node.ts';
import type { Backend } from './backend.ts';

/** The environment in which relays are tested. */
export type Place = {
  /** With an operator. */
  readonly node: TestNode;
  /** Enforces Pod Security *restricted*. */
  readonly namespace: string;
  readonly six: Backend;
  readonly four: Backend;
};

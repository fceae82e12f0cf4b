/** The use of memory budgets, which add up. */
export type MemoryUse = {
  readonly budgetBytes: number;
  readonly usedBytes: number;
  /** How often something that waited was dropped. */
  readonly dropped: number;
};

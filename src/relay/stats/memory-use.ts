/** The use of memory budgets, which add up. */
export type MemoryUse = {
  readonly budgetBytes: number;
  readonly usedBytes: number;
  /** How often something that waited was dropped. */
  readonly dropped: number;
};

/** The sum of `uses`. */
export function memoryUseOf(uses: readonly MemoryUse[]): MemoryUse {
  const sum = (field: keyof MemoryUse): number => uses.reduce((total, use) => total + use[field], 0);
  return { budgetBytes: sum('budgetBytes'), usedBytes: sum('usedBytes'), dropped: sum('dropped') };
}

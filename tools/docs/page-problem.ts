/** What is wrong with a page, and where. */
export type PageProblem = {
  /** The path of the page in the repository. */
  readonly page: string;
  /** Counted from 1. */
  readonly line: number;
  readonly what: string;
};

/** `problem` as compilers write them: `file:line: what`. */
export function pageProblemText({ page, line, what }: PageProblem): string {
  return `${page}:${String(line)}: ${what}`;
}

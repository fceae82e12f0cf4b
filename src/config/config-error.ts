import { RealmError } from '../lib/errors.ts';
import { problemText, type Problem } from '../lib/problem.ts';

/** A problem and its source: a file, `command line`, or the name of an environment variable. */
export type SourcedProblem = Problem & { readonly source: string };

/** The relay's configuration is not valid. Never retried: only a changed configuration can fix it. */
export class ConfigError extends RealmError {
  readonly code = 'REALM_CONFIG_INVALID';
  /** All problems, not only the first. */
  readonly problems: readonly SourcedProblem[];

  constructor(problems: readonly SourcedProblem[], options?: ErrorOptions) {
    super(problems.map((problem) => `${problem.source}: ${problemText(problem)}`).join('\n'), options);
    this.problems = problems;
  }
}

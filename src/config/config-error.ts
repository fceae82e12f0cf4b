import { RealmError } from '../lib/errors.ts';
import { problemText, type Problem } from '../lib/problem.ts';

/** The relay's configuration is not valid. Never retried: only another text can mend it. */
export class ConfigError extends RealmError {
  readonly code = 'REALM_CONFIG_INVALID';
  /** The file, or `command line`. */
  readonly source: string;
  /** Everything that is wrong, not only the first. */
  readonly problems: readonly Problem[];

  constructor(source: string, problems: readonly Problem[], options?: ErrorOptions) {
    super(problems.map((problem) => `${source}: ${problemText(problem)}`).join('\n'), options);
    this.source = source;
    this.problems = problems;
  }
}

import { counted } from '../../lib/counted.ts';

/** The outcome of one check. */
export type Check = {
  readonly severity: 'ok' | 'warning' | 'problem';
  /** What was checked, e.g. `TCP [::]:443`. */
  readonly subject: string;
  readonly what: string;
  /** What to do; absent if all is well. */
  readonly remedy?: string;
};

/** A check that found nothing wrong. */
export function ok(subject: string, what: string): Check {
  return { severity: 'ok', subject, what };
}

/** A check that found what may be wrong. */
export function warning(subject: string, what: string, remedy: string): Check {
  return { severity: 'warning', subject, what, remedy };
}

/** A check that found what keeps a relay from working. */
export function problem(subject: string, what: string, remedy: string): Check {
  return { severity: 'problem', subject, what, remedy };
}

/** `checks` as lines, `severity  subject: what: remedy`, and a summary. */
export function checksText(checks: readonly Check[]): string {
  const lines = checks.map(({ severity, subject, what, remedy }) => {
    return `${severity.padEnd(8)}  ${subject}: ${what}${remedy === undefined ? '' : `: ${remedy}`}`;
  });
  const count = (severity: Check['severity']): number =>
    checks.filter((check) => check.severity === severity).length;
  return `${lines.join('\n')}\n${counted(count('problem'), 'problem')}, ${counted(count('warning'), 'warning')}, ${String(count('ok'))} ok\n`;
}

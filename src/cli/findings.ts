import { isAbsolute, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { pathText, problemText, type Problem } from '../lib/problem.ts';
import { version } from '../lib/version.ts';
import { counted } from '../lib/counted.ts';

/** A problem or warning in a file. */
export type Finding = {
  readonly severity: 'error' | 'warning';
  readonly file: string;
  /** Counted from 1. */
  readonly line: number;
  /** Counted from 1, in UTF-16 code units. */
  readonly column: number;
  readonly problem: Problem;
};

/** What was found in manifests. */
export type Report = {
  readonly findings: readonly Finding[];
  /** How many valid relays there are. */
  readonly relays: number;
  /** How many objects of other kinds were skipped. */
  readonly skipped: number;
};

/** The words of `--output`. */
export const findingFormats = ['text', 'json', 'sarif', 'github'] as const;
export type FindingFormat = (typeof findingFormats)[number];

/**
 * `report` in `format`, without its summary in the formats of lines.
 *
 * @returns '' if a format of lines has none.
 */
export function findingsText(report: Report, format: FindingFormat): string {
  if (format === 'json') return `${JSON.stringify(jsonReport(report), undefined, 2)}\n`;
  if (format === 'sarif') return `${JSON.stringify(sarifLog(report), undefined, 2)}\n`;
  const line = format === 'github' ? workflowCommand : findingText;
  return report.findings.map((finding) => `${line(finding)}\n`).join('');
}

/** `finding` as compilers write them: `file:line:column: field: what, value: remedy`. */
function findingText({ severity, file, line, column, problem }: Finding): string {
  const word = severity === 'warning' ? 'warning: ' : '';
  return `${file}:${String(line)}:${String(column)}: ${word}${problemText(problem)}`;
}

/** What `report` amounts to, in one line. */
export function summaryText(report: Report): string {
  const { errors, warnings } = counts(report);
  const skipped = report.skipped === 0 ? '' : `, ${skippedText(report.skipped)}`;
  return `${counted(report.relays, 'valid relay')}, ${counted(errors, 'problem')}, ${counted(warnings, 'warning')}${skipped}\n`;
}

/** How many objects of other kinds were skipped. */
export function skippedText(skipped: number): string {
  return skipped === 1
    ? '1 object of another kind skipped'
    : `${String(skipped)} objects of other kinds skipped`;
}

/** How many errors and warnings `report` has. */
export function counts({ findings }: Report): { readonly errors: number; readonly warnings: number } {
  const errors = findings.filter(({ severity }) => severity === 'error').length;
  return { errors, warnings: findings.length - errors };
}

function jsonReport(report: Report): object {
  const { errors, warnings } = counts(report);
  return {
    relays: report.relays,
    problems: errors,
    warnings,
    skipped: report.skipped,
    findings: report.findings.map(({ problem, ...place }) => {
      const { path, what, value, remedy } = problem;
      return {
        ...place,
        field: pathText(path),
        problem: what,
        ...(value !== undefined && { value }),
        remedy,
      };
    }),
  };
}

/** A command of GitHub Actions. Source: "Workflow commands for GitHub Actions", and toolkit/packages/core/src/command.ts. */
function workflowCommand({ severity, file, line, column, problem }: Finding): string {
  const place = `file=${property(file)},line=${String(line)},col=${String(column)}`;
  return `::${severity} ${place},title=realm-operator::${data(problemText(problem))}`;
}

function data(text: string): string {
  return text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
}

function property(text: string): string {
  return data(text).replaceAll(':', '%3A').replaceAll(',', '%2C');
}

const rules = [
  { id: 'manifest-invalid', name: 'Problem', text: 'The API server or the operator refuses the manifest.' },
  { id: 'manifest-questionable', name: 'Warning', text: 'The manifest is valid, and probably a mistake.' },
];

/** Source: SARIF 2.1.0, OASIS standard. */
function sarifLog({ findings }: Report): object {
  return {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: {
          driver: {
            name: 'realm-operator',
            version,
            rules: rules.map(({ id, name, text }) => ({ id, name, shortDescription: { text } })),
          },
        },
        columnKind: 'utf16CodeUnits',
        results: findings.map(sarifResult),
      },
    ],
  };
}

function sarifResult({ severity, file, line, column, problem }: Finding): object {
  const ruleIndex = severity === 'error' ? 0 : 1;
  return {
    ruleId: rules[ruleIndex]?.id,
    ruleIndex,
    level: severity,
    message: { text: problemText(problem) },
    locations: [
      {
        physicalLocation: {
          artifactLocation: { uri: artifactUri(file) },
          region: { startLine: line, startColumn: column },
        },
      },
    ],
  };
}

/** A path inside the working folder as a relative reference, which viewers resolve in the repository. */
function artifactUri(file: string): string {
  const inside = relative(process.cwd(), file);
  if (isAbsolute(inside) || inside.startsWith('..')) return pathToFileURL(file).href;
  return inside.split(/[/\\]/).map(encodeURIComponent).join('/');
}

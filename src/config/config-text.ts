import { parse as parseToml, TomlError } from 'smol-toml';
import { isMapping, type Findings } from '../lib/document-rules.ts';
import { asError } from '../lib/errors.ts';
import { isLegacy, modernDocument } from './legacy-document.ts';

/** The text of one file, or of what stands for a file. */
export type ConfigText = {
  /** Its path, for messages. */
  readonly source: string;
  readonly text: string;
};

/** One configuration document as written, and what was found while reading it. */
export type SourceDocument = {
  readonly source: string;
  /** Shaped like RealmDocument, unchecked; undefined where the text holds none, told in `findings`. */
  readonly document: unknown;
  /** Whether it was written in the words of Realm before 2.0. */
  readonly isLegacy: boolean;
  readonly findings: Findings;
};

/** The document that a text holds: TOML, JSON or legacy JSON, whatever its file is called. */
export function sourceDocument({ source, text }: ConfigText): SourceDocument {
  const findings: Findings = { problems: [], warnings: [] };
  const document = parsedText(text, findings);
  if (!isLegacy(document)) return { source, document, isLegacy: false, findings };
  return { source, document: modernDocument(document, findings), isLegacy: true, findings };
}

function parsedText(text: string, findings: Findings): unknown {
  if (text.trim() === '') {
    findings.problems.push({ path: [], what: 'is empty', remedy: 'add {"endpoints": [...]}' });
    return undefined;
  }
  return /^\s*\{/.test(text) ? parsedJson(text, findings) : parsedToml(text, findings);
}

function parsedJson(text: string, findings: Findings): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    const remedy = `correct it: ${asError(error).message}`;
    findings.problems.push({ path: [], what: 'is not a JSON document', remedy });
    return undefined;
  }
}

/** Any JSON but an object has no business here, and is told by its type rather than as broken TOML. */
function parsedToml(text: string, findings: Findings): unknown {
  try {
    return parseToml(text);
  } catch (error) {
    const json = parsedJson(text, { problems: [], warnings: [] });
    if (json !== undefined) return json;
    findings.problems.push({ path: [], what: 'is neither TOML nor JSON', remedy: `correct ${place(error)}` });
    return undefined;
  }
}

/** The parser's message shows the line, too; one line is enough here. */
function place(error: unknown): string {
  const [message = ''] = asError(error).message.split('\n');
  const what = message.replace(/^Invalid TOML document: /, '');
  if (!(error instanceof TomlError)) return `it: ${what}`;
  return `line ${String(error.line)}, column ${String(error.column)}: ${what}`;
}

/** Whether `document` at least looks like a configuration: it lists endpoints. */
export function hasEndpoints(document: unknown): boolean {
  return isMapping(document) && Array.isArray(document['endpoints']);
}

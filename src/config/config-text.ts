import { parse as parseToml, TomlError } from 'smol-toml';
import { isMapping, type Findings } from '../lib/document-rules.ts';
import { asError } from '../lib/errors.ts';
import { isLegacy, modernDocument } from './legacy-document.ts';
import { withTables } from './positional.ts';

/** The text of one file, or of a source that is read like one, such as an environment variable. */
export type ConfigText = {
  /** Its path, for messages. */
  readonly source: string;
  readonly text: string;
};

/** One configuration document as written, with the problems and warnings found while reading it. */
export type SourceDocument = {
  readonly source: string;
  /** Shaped like RealmDocument, unchecked; undefined if the text has none, which `findings` reports. */
  readonly document: unknown;
  /** Whether it uses the keys of Realm before 2.0. */
  readonly isLegacy: boolean;
  readonly findings: Findings;
};

/** Parses a text as TOML, JSON or legacy JSON, whatever the name of its file. */
export function sourceDocument({ source, text }: ConfigText): SourceDocument {
  const findings: Findings = { problems: [], warnings: [] };
  const document = withTables(parsedText(text, findings), findings);
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

/** JSON that is not an object is returned as well: the error about its type helps more than one about TOML syntax. */
function parsedToml(text: string, findings: Findings): unknown {
  try {
    return tomlDocument(text);
  } catch (error) {
    const json = parsedJson(text, { problems: [], warnings: [] });
    if (json !== undefined) return json;
    findings.problems.push({ path: [], what: 'is neither TOML nor JSON', remedy: `correct ${place(error)}` });
    return undefined;
  }
}

function tomlDocument(text: string): unknown {
  try {
    return parseToml(text);
  } catch {
    // The parser rejects integers above 2^53, which Realm takes; as numbers they lose digits that have no effect.
    return withNumbers(parseToml(text, { integersAsBigInt: 'asNeeded' }));
  }
}

/** `value` with a number for each bigint in it. */
function withNumbers(value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value);
  if (Array.isArray(value)) return value.map(withNumbers);
  if (!isMapping(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, withNumbers(each)]));
}

/** The parser's message also quotes the line of the file; here its first line is enough. */
function place(error: unknown): string {
  const [message = ''] = asError(error).message.split('\n');
  const what = message.replace(/^Invalid TOML document: /, '');
  if (!(error instanceof TomlError)) return `it: ${what}`;
  return `line ${String(error.line)}, column ${String(error.column)}: ${what}`;
}

/** Whether `document` looks like a configuration: it lists endpoints. */
export function hasEndpoints(document: unknown): boolean {
  return isMapping(document) && Array.isArray(document['endpoints']);
}

import type { SourcedProblem } from '../../config/config-error.ts';
import { sourceDocument, type ConfigText, type SourceDocument } from '../../config/config-text.ts';
import { problemText } from '../../lib/problem.ts';
import type { ForeignNote } from './foreign.ts';
import { foreignReader } from './formats.ts';
import { realmLines } from './realm-lines.ts';

/** What was read of the files to import. */
type Sources = {
  readonly sources: readonly SourceDocument[];
  /** What of another program's configuration cannot be imported. */
  readonly notes: readonly { readonly isError: boolean; readonly text: string }[];
  /** A problem as a line, `file:line: [mark]key: what, value: remedy`. */
  readonly place: (problem: SourcedProblem, mark?: string) => string;
};

/** Reads `texts`: as those of Realm, or a single one as that of another program, by the word of `--from`. */
export function readSources(texts: readonly ConfigText[], from: string): Sources {
  const emptyNotes = empty(texts, from);
  if (emptyNotes.length > 0) return { sources: [], notes: emptyNotes, place: () => '' };
  const [first] = texts;
  const reader = first !== undefined && texts.length === 1 ? foreignReader(from, first.text) : undefined;
  if (reader === undefined || first === undefined)
    return from === 'auto' ? recognized(texts) : realmSources(texts);
  const { endpoints, notes } = reader(first.text);
  const isEmpty = endpoints.length === 0 && !notes.some(({ severity }) => severity === 'error');
  return {
    // A document for each endpoint, so that its line is known to whatever reports a problem with it.
    sources: endpoints.map(({ line, endpoint }) => ({
      source: `${first.source}:${String(line)}`,
      document: { endpoints: [endpoint] },
      isLegacy: false,
      findings: { problems: [], warnings: [] },
    })),
    notes: [...(isEmpty ? [nothing] : []), ...notes.toSorted((a, b) => a.line - b.line)].map((note) => ({
      isError: note.severity === 'error',
      text: `${first.source}:${noteText(note)}`,
    })),
    place: ({ source, ...problem }, mark = '') => `${source}: ${mark}${problemText(problem)}`,
  };
}

/** Errors for files without content, which Realm rejects, too; comments are content if other files have more than that. */
function empty(texts: readonly ConfigText[], from: string): Sources['notes'] {
  const isAllBlank = texts.every(({ text }) => isBlank(text));
  const blank = texts.filter(({ text }) => isAllBlank || text.trim() === '');
  const remedy = `give a configuration of ${from === 'auto' ? 'Realm, HAProxy, nginx, gost or rinetd' : from}`;
  return blank.map(({ source }) => ({
    isError: true,
    text: `${source}:${noteText({ ...nothing, what: 'is empty', remedy })}`,
  }));
}

/** The files of Realm; an error for each that is none at first sight. */
function recognized(texts: readonly ConfigText[]): Sources {
  const strangers = texts.filter(({ text }) => !looksLikeRealm.test(text) && !isBlank(text));
  const notes = strangers.map(({ source }) => ({ isError: true, text: `${source}:${noteText(unknown)}` }));
  return notes.length === 0 ? realmSources(texts) : { sources: [], notes, place: () => '' };
}

/** A bracket of JSON, or a table or a key of TOML, at the beginning of a line. */
const looksLikeRealm = /^\uFEFF?[ \t]*(?:[{[]|["'\w.-]+[ \t]*=)/m;

/** Whether `text` has nothing but comments of TOML. */
function isBlank(text: string): boolean {
  return text.split('\n').every((line) => /^(?:#|$)/.test(line.trim()));
}

const unknown: ForeignNote = {
  severity: 'error',
  line: 1,
  word: 'document',
  what: 'is no configuration of Realm, HAProxy, nginx, gost or rinetd that is recognized',
  remedy: 'give the right file, or its kind with --from',
};

const nothing: ForeignNote = {
  severity: 'error',
  line: 1,
  word: 'document',
  what: 'contains no forwarding of TCP or UDP that a RealmRelay can express',
  remedy: 'give the right file, or its kind with --from',
};

function noteText({ severity, line, word, what, value, remedy }: ForeignNote): string {
  const mark = severity === 'warning' ? 'warning: ' : '';
  const problem = { path: [word], what, remedy, ...(value !== undefined && { value }) };
  return `${String(line)}: ${mark}${problemText(problem)}`;
}

function realmSources(texts: readonly ConfigText[]): Sources {
  const lines = new Map(texts.map((each) => [each.source, realmLines(each)]));
  return {
    sources: texts.map(sourceDocument),
    notes: [],
    place: ({ source, ...problem }, mark = '') => {
      const line = problem.path.length === 0 ? undefined : lines.get(source)?.(problem.path);
      const at = line === undefined ? source : `${source}:${String(line)}`;
      return `${at}: ${mark}${problemText(problem)}`;
    },
  };
}

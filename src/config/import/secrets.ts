import { trimmedEnd } from '../../lib/trimmed.ts';
import { ownValue } from '../../lib/record.ts';

/** A Secret that takes the place of files. */
export type ImportedSecret = {
  readonly name: string;
  /** Its keys, and the path of the file that each holds. */
  readonly files: Readonly<Record<string, string>>;
};

/** File names that tell what a file is, and not whose: its folder does. */
const plainNames = /^(tls|cert|certificate|fullchain|chain|server|client|key|privkey|ca|ca-bundle|root)$/;

/** Gives the files that a configuration names to Secrets; the same files to the same Secret. */
export class Secrets {
  readonly #files = new Map<string, Record<string, string>>();

  /** The name of the Secret with `files`, paths by key. */
  nameFor(files: Readonly<Record<string, string>>): string {
    const wanted = secretName(Object.values(files)[0] ?? '');
    let name = wanted;
    for (let number = 2; !fits(this.#files.get(name), files); number += 1)
      name = `${wanted}-${String(number)}`;
    this.#files.set(name, { ...this.#files.get(name), ...files });
    return name;
  }

  /** Every Secret that was named, in the order in which they were. */
  all(): ImportedSecret[] {
    return [...this.#files].map(([name, files]) => ({ name, files }));
  }
}

function fits(
  known: Readonly<Record<string, string>> = {},
  files: Readonly<Record<string, string>>,
): boolean {
  return Object.entries(files).every(([key, path]) => (ownValue(known, key) ?? path) === path);
}

/** A name like that of the file at `path`, or of its folder. */
function secretName(path: string): string {
  const [file = '', folder = ''] = path.split('/').toReversed();
  const stem = file.replace(/[.][a-z]+$/i, '');
  return nameOf(plainNames.test(stem.toLowerCase()) ? folder : stem) || nameOf(stem) || 'tls';
}

function nameOf(text: string): string {
  const labels = text.toLowerCase().split('.');
  const name = labels
    .map((each) => trimmedEnd(each.replaceAll(/[^a-z0-9-]+/g, '-').replace(/^-+/, ''), '-'))
    .filter((each) => each !== '')
    .join('.');
  return trimmedEnd(name.slice(0, 240), '-.');
}

/** The command that makes `secret` of its files, on the machine where they are. */
export function secretCommand({ name, files }: ImportedSecret, namespace: string | undefined): string {
  const { 'tls.crt': cert, 'tls.key': key, 'ca.crt': ca } = files;
  const place = namespace === undefined ? [] : ['--namespace', word(namespace)];
  const create = ['kubectl', 'create', 'secret'];
  if (cert !== undefined && key !== undefined && ca === undefined)
    return [...create, 'tls', name, ...place, `--cert=${word(cert)}`, `--key=${word(key)}`].join(' ');
  const parts = Object.entries(files).map(([each, path]) => `--from-file=${word(`${each}=${path}`)}`);
  return [...create, 'generic', name, ...place, ...parts].join(' ');
}

/** `text` as one word of a shell. */
export function word(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

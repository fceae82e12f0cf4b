import { trimmedEnd } from '../../lib/trimmed.ts';
import { ownValue } from '../../lib/record.ts';

/** A Secret that replaces files. */
export type ImportedSecret = {
  readonly name: string;
  /** The path of the file for each of its keys. */
  readonly files: Readonly<Record<string, string>>;
};

/** File names that describe only the kind of file; the Secret is then named after the folder. */
const plainNames = /^(tls|cert|certificate|fullchain|chain|server|client|key|privkey|ca|ca-bundle|root)$/;

/** Assigns Secrets to the files of a configuration; the same files share a Secret. */
export class Secrets {
  readonly #files = new Map<string, Record<string, string>>();

  /** The name of the Secret for `files`, paths by key. */
  nameFor(files: Readonly<Record<string, string>>): string {
    const wanted = secretName(Object.values(files)[0] ?? '');
    let name = wanted;
    for (let number = 2; !fits(this.#files.get(name), files); number += 1)
      name = `${wanted}-${String(number)}`;
    this.#files.set(name, { ...this.#files.get(name), ...files });
    return name;
  }

  /** Every Secret so far, in the order of first use. */
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

/** A name derived from the file at `path`, or from its folder. */
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

/** The command that creates `secret` from its files, to be run on the machine that has them. */
export function secretCommand({ name, files }: ImportedSecret, namespace: string | undefined): string {
  const { 'tls.crt': cert, 'tls.key': key, 'ca.crt': ca } = files;
  const place = namespace === undefined ? [] : ['--namespace', word(namespace)];
  const create = ['kubectl', 'create', 'secret'];
  if (cert !== undefined && key !== undefined && ca === undefined)
    return [...create, 'tls', name, ...place, `--cert=${word(cert)}`, `--key=${word(key)}`].join(' ');
  const parts = Object.entries(files).map(([each, path]) => `--from-file=${word(`${each}=${path}`)}`);
  return [...create, 'generic', name, ...place, ...parts].join(' ');
}

/** `text`, quoted as one word for a shell. */
export function word(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

import { addressFamily } from '../../lib/ip-address.ts';
import { WatchedText } from './watched-text.ts';

/** Names whose lines are remembered. */
const maxNames = 4096;

/** A hosts file, read again when it changes. */
export class HostsFile {
  readonly #file: WatchedText<{ readonly text: string; readonly found: Map<string, readonly string[]> }>;

  constructor(path: string) {
    this.#file = new WatchedText(path, (text) => ({ text, found: new Map<string, readonly string[]>() }));
  }

  /** The addresses of `name` at the moment. */
  addresses(name: string): readonly string[] {
    const { text, found } = this.#file.value;
    const known = found.get(name);
    if (known !== undefined) return known;
    if (found.size >= maxNames) found.clear();
    const addresses = hostsAddresses(text, name);
    found.set(name, addresses);
    return addresses;
  }
}

/** The addresses of `name` in the text of a hosts file, in the order of its lines. Source: hosts(5). */
export function hostsAddresses(text: string, name: string): string[] {
  const hostName = name.replace(/\.$/, '').toLowerCase();
  if (!text.toLowerCase().includes(hostName)) return []; // most names are not in it, and it may be long
  return text.split('\n').flatMap((line) => {
    const [address = '', ...names] = line.replace(/#.*/, '').trim().split(/\s+/);
    const isListed = names.some((each) => each.toLowerCase() === hostName);
    return !isListed || addressFamily(address) === undefined ? [] : [address];
  });
}

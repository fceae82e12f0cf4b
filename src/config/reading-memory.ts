import { isMapping, type Findings, type Rule } from '../lib/document-rules.ts';
import { ownValue } from '../lib/record.ts';
import type { UnnamedEndpoint } from './endpoint-config.ts';
import { endpointRule, type ReadEndpoint } from './realm-rules.ts';
import type { RealmNetwork } from './realm-document.ts';
import type { EndpointConfig } from './relay-config.ts';

/** An endpoint without a problem or a warning, as written and as read. */
type Known = { readonly written: unknown; readonly read: ReadEndpoint };

/** An endpoint with defaults applied, wherever it is in its file. */
type Configured = Omit<UnnamedEndpoint, 'path' | 'findings'>;

/**
 * What is known from the previous reading of a configuration that is read again and again. An endpoint that is written as
 * before is not checked again, and is the same object as before.
 *
 * Guarantee: the result, every problem and every warning are those of a first reading. Only endpoints without any are known, and
 * what they become with defaults applied is known only for the same global network settings.
 */
export class ReadingMemory {
  #before: ReadonlyMap<string, Known> = new Map();
  #now = new Map<string, Known>();
  #networks: readonly RealmNetwork[] = [];
  #configured = new WeakMap<ReadEndpoint, Configured>();
  #endpoints: ReadonlyMap<string, EndpointConfig> = new Map();
  #denied: readonly string[] = [];

  /** To be called at the beginning of a reading. */
  begin(): void {
    this.#before = this.#now;
    this.#now = new Map();
  }

  /** Reads an endpoint, or knows it. */
  readonly endpointRule: Rule<ReadEndpoint> = (written, path, findings) => {
    const key = keyOf(written);
    const known = this.#before.get(key);
    if (known !== undefined && isSame(known.written, written)) {
      this.#now.set(key, known);
      return known.read;
    }
    const { result: read, isClean } = withOwnFindings(findings, (own) => endpointRule(written, path, own));
    if (isClean && read !== undefined) this.#now.set(key, { written, read });
    return read;
  };

  /** Sets what endpoints depend on besides what they are read as. */
  applyNetworks(...networks: readonly RealmNetwork[]): void {
    if (!isSame(this.#networks, networks)) this.#configured = new WeakMap();
    this.#networks = networks;
  }

  /** What `configure` makes of an endpoint, or has made of it. @param findings  where `configure` reports. */
  configured(
    read: ReadEndpoint,
    findings: Findings,
    configure: (own: Findings) => Configured | undefined,
  ): Configured | undefined {
    const known = this.#configured.get(read);
    if (known !== undefined) return known;
    const { result, isClean } = withOwnFindings(findings, configure);
    if (isClean && result !== undefined) {
      const { name, rangeOf, endpoint } = result;
      this.#configured.set(read, { name, rangeOf, endpoint });
    }
    return result;
  }

  /** The endpoints of a valid configuration; in place of those that are equal to one of before, that one. */
  unchanged(endpoints: readonly EndpointConfig[]): readonly EndpointConfig[] {
    const before = this.#endpoints;
    const now = endpoints.map((endpoint) => {
      const known = before.get(endpoint.name);
      return known !== undefined && isSame(known, endpoint) ? known : endpoint;
    });
    this.#endpoints = new Map(now.map((endpoint) => [endpoint.name, endpoint]));
    return now;
  }

  /** The list of before if `denied` is equal to it. */
  unchangedDenied(denied: readonly string[]): readonly string[] {
    if (!isSame(this.#denied, denied)) this.#denied = denied;
    return this.#denied;
  }
}

/** Where to look for an endpoint; of two with the same key one is known. */
function keyOf(written: unknown): string {
  if (!isMapping(written)) return '';
  const { name, listen } = written;
  return typeof name === 'string' ? `name ${name}` : `listen ${typeof listen === 'string' ? listen : ''}`;
}

/** The result of `read`, whose findings are added to `findings`, and whether there are any. */
function withOwnFindings<T>(findings: Findings, read: (own: Findings) => T) {
  const own: Findings = { problems: [], warnings: [] };
  const result = read(own);
  findings.problems.push(...own.problems);
  findings.warnings.push(...own.warnings);
  return { result, isClean: own.problems.length + own.warnings.length === 0 };
}

/** Whether two values of documents are the same. Stricter than JSON: a date of TOML is the same as nothing. */
function isSame(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (Array.isArray(a) && Array.isArray(b))
    return a.length === b.length && a.every((item, index) => isSame(item, b[index]));
  if (!isMapping(a) || !isMapping(b)) return false;
  const fields = Object.entries(a);
  return (
    fields.length === Object.keys(b).length &&
    fields.every(([key, value]) => Object.hasOwn(b, key) && isSame(value, ownValue(b, key)))
  );
}

import { isMapping, type Findings, type Rule } from '../lib/document-rules.ts';
import { ownValue } from '../lib/record.ts';
import type { UnnamedEndpoint } from './endpoint-config.ts';
import { endpointRule, type ReadEndpoint } from './realm-rules.ts';
import type { RealmNetwork } from './realm-document.ts';
import type { EndpointConfig } from './relay-config.ts';

/** An endpoint as written and as read. */
export type RememberedEndpoint = {
  readonly written: unknown;
  readonly read: ReadEndpoint;
  /** What it became without a problem or a warning, beside which network settings; undefined if it has not yet. */
  became: { readonly configured: Configured; readonly networks: Networks } | undefined;
};

/** The network settings of all endpoints. */
type Networks = readonly RealmNetwork[];

/** An endpoint with defaults applied, wherever it is in its file. */
type Configured = Pick<UnnamedEndpoint, 'name' | 'rangeOf' | 'endpoint'>;

/**
 * What is known from the previous reading of a configuration that is read again and again. An endpoint that is written as
 * before is not checked again, and is the same object as before.
 *
 * Guarantee: the result, every problem and every warning are those of a first reading. Only endpoints without any are known, and
 * what they become with defaults applied is known only for the same global network settings.
 */
export class ReadingMemory {
  #before: ReadonlyMap<unknown, RememberedEndpoint> = new Map();
  #now = new Map<unknown, RememberedEndpoint>();
  #networks: Networks = [];
  #endpoints: ReadonlyMap<string, EndpointConfig> = new Map();
  #denied: readonly string[] = [];

  /** To be called at the beginning of a reading. */
  begin(): void {
    this.#before = this.#now;
    this.#now = new Map();
  }

  /** Reads an endpoint, or knows it. */
  readonly endpointRule: Rule<RememberedEndpoint> = (written, path, findings) => {
    const key = keyOf(written);
    const known = this.#before.get(key);
    if (known !== undefined && isSame(known.written, written)) {
      this.#now.set(key, known);
      return known;
    }
    const before = countOf(findings);
    const read = endpointRule(written, path, findings);
    if (read === undefined) return undefined;
    const endpoint = { written, read, became: undefined };
    if (countOf(findings) === before) this.#now.set(key, endpoint);
    return endpoint;
  };

  /** Sets what endpoints depend on besides what they are read as. */
  applyNetworks(...networks: Networks): void {
    if (!isSame(this.#networks, networks)) this.#networks = networks;
  }

  /** What `configure` makes of an endpoint, or has made of it. @param findings  where `configure` reports. */
  configured(
    remembered: RememberedEndpoint,
    findings: Findings,
    configure: (read: ReadEndpoint) => Configured | undefined,
  ): Configured | undefined {
    const networks = this.#networks;
    if (remembered.became?.networks === networks) return remembered.became.configured;
    const before = countOf(findings);
    const configured = configure(remembered.read);
    if (configured === undefined || countOf(findings) > before) return configured;
    const { name, rangeOf, endpoint } = configured;
    remembered.became = { configured: { name, rangeOf, endpoint }, networks };
    return configured;
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

/** Where to look for an endpoint: at its name or address. Of two with the same key one is known. */
function keyOf(written: unknown): unknown {
  return isMapping(written) ? (written['name'] ?? written['listen']) : undefined;
}

function countOf({ problems, warnings }: Findings): number {
  return problems.length + warnings.length;
}

type Fields = Readonly<Record<string, unknown>>;

/** Whether two values of documents are the same. Stricter than JSON: a date of TOML is the same as nothing. */
function isSame(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (Array.isArray(a) && Array.isArray(b))
    return a.length === b.length && a.every((item, index) => isSame(item, b[index]));
  return isMapping(a) && isMapping(b) && hasSameFields(a, b);
}

function hasSameFields(a: Fields, b: Fields): boolean {
  let fields = 0;
  for (const key in a) {
    if (!Object.hasOwn(b, key) || !isSame(ownValue(a, key), ownValue(b, key))) return false;
    fields += 1;
  }
  for (const _ in b) fields -= 1;
  return fields === 0;
}

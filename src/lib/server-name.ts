import { numericEnd } from './host-name.ts';

/** The longest host name. Source: RFC 1035, section 2.3.4, without the root label. */
export const maxServerNameLength = 253;

/**
 * A host name as clients of TLS send it, or `*.` and a host name, which stands for every name below that. An IP address is none
 * (RFC 6066, section 3), which `numericEnd` excludes. The pattern is also RE2, for CEL.
 */
export const serverNamePattern =
  /^([*][.])?([a-z0-9_]([-a-z0-9_]{0,61}[a-z0-9_])?[.])*[a-z0-9_]([-a-z0-9_]{0,61}[a-z0-9_])?$/;

/** Whether `name`, in its canonical form, is one that clients of TLS can ask for, or a wildcard for such names. */
export function isServerName(name: string): boolean {
  return name.length <= maxServerNameLength && serverNamePattern.test(name) && !numericEnd.test(name);
}

/** What to write in place of another text. */
export const serverNameRemedy =
  'use a lower-case host name, such as "a.example", or "*.a.example" for every name below it';

/** `name` as it is compared: DNS names know neither case nor, at their end, the dot of the root. */
export function canonicalServerName(name: string): string {
  return name.toLowerCase().replace(/[.]$/, '');
}

/**
 * The key of `has` that `name` belongs to: `name` itself, else the longest wildcard above it, else '' for any name; undefined if
 * there is none. A wildcard stands for one or more labels, and not for the name below its `*.`.
 *
 * @param name  canonical; '' if the client sent none.
 */
export function matchingName(name: string, has: (key: string) => boolean): string | undefined {
  if (name !== '' && has(name)) return name;
  for (let dot = name.indexOf('.'); dot >= 0; dot = name.indexOf('.', dot + 1)) {
    const wildcard = `*${name.slice(dot)}`;
    if (has(wildcard)) return wildcard;
  }
  return has('') ? '' : undefined;
}

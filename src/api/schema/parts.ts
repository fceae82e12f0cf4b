import { z } from 'zod';
import { numericEnd } from '../../lib/host-name.ts';
import { addressFamily, parseIpAddress } from '../../lib/ip-address.ts';

/** An IP family, as Kubernetes spells it. */
export const ipFamily = z.enum(['IPv4', 'IPv6']);

/** A non-empty string of at most `maxLength` characters. */
export function text(maxLength: number): z.ZodString {
  return z.string().min(1).max(maxLength);
}

/** An optional true or false. */
export function flag(description: string): z.ZodOptional<z.ZodBoolean> {
  return z.boolean().optional().describe(description);
}

/** An optional integer from `min` to `max`. */
export function bounded(min: number, max: number, description: string): z.ZodOptional<z.ZodInt> {
  return z.int().min(min).max(max).optional().describe(description);
}

/** An optional whole number of seconds from `min` to `max`; the field's name ends in `Seconds`. */
export function seconds(min: number, max: number, description: string): z.ZodOptional<z.ZodInt> {
  return bounded(min, max, `${description} Unit: seconds.`);
}

/** A rule in two forms: for the parser and, in CEL, for the API server. A test compares the two. */
type Rule<T> = {
  /** CEL over `self`, for `x-kubernetes-validations`. */
  readonly cel: string;
  readonly holds: (value: T) => boolean;
  /** What to do if the rule is violated. */
  readonly remedy: string;
  /** The field of the mapping that the rule is about; default: the mapping itself. */
  readonly field?: string;
};

/** `schema` with `rule` added to its rules. */
export function rule<S extends z.ZodType>(schema: S, { cel, holds, remedy, field }: Rule<z.output<S>>): S {
  const before = (schema.meta()?.[validations] ?? []) as readonly object[];
  const refined = schema.refine(holds, { error: remedy, ...(field !== undefined && { path: [field] }) });
  const own = { rule: cel, message: remedy, ...(field !== undefined && { fieldPath: `.${field}` }) };
  return refined.meta({ [validations]: [...before, own] });
}

const validations = 'x-kubernetes-validations';

/** An address that `isIP` of CEL accepts, or an IPv4-mapped one in its only allowed spelling. */
export function isListenAddress(text: string): boolean {
  const address = parseIpAddress(text);
  if (address === undefined || address.zone !== '') return false;
  return address.mapped === undefined || text === address.text;
}

/** An address that `isIP` of CEL accepts. */
export function isPlainAddress(text: string): boolean {
  const address = parseIpAddress(text);
  return address?.zone === '' && address.mapped === undefined;
}

/** An address as above, or a range in CIDR notation, that `isCIDR` of CEL accepts. */
export function isAddressRange(text: string): boolean {
  const [address = '', prefix, ...more] = text.split('/');
  if (!isPlainAddress(address) || more.length > 0) return false;
  const maxPrefix = addressFamily(address) === 'IPv4' ? 32 : 128;
  return prefix === undefined || (/^(0|[1-9][0-9]{0,2})$/.test(prefix) && Number(prefix) <= maxPrefix);
}

/** A range in CIDR notation, that `isCIDR` of CEL accepts. */
export function isCidr(text: string): boolean {
  return text.includes('/') && isAddressRange(text);
}

/** An IP address as above, or a host name whose last label is not a number. Source: RFC 1123, section 2.1. */
export function isHost(text: string): boolean {
  return isListenAddress(text) || (hostName.test(text) && !numericEnd.test(text));
}

const hostName =
  /^([0-9A-Za-z_]([-0-9A-Za-z_]{0,61}[0-9A-Za-z_])?[.])*[0-9A-Za-z]([-0-9A-Za-z]{0,61}[0-9A-Za-z])?[.]?$/;

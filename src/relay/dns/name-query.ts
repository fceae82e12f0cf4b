import type { Clock } from '../../lib/clock.ts';
import { parseIpAddress, type IpFamily } from '../../lib/ip-address.ts';
import type { Answer } from './answer-cache.ts';
import { maxAliases, type DnsQuestion, type RecordType } from './message.ts';
import { type NameError, noAddress, noAnswer, notFound } from './name-error.ts';
import { ServersFailure, type ServerGroup, type Settled } from './server-group.ts';

/** Families that are asked for at once. */
export type FamilyGroup = readonly IpFamily[];

/** How a host name is looked up by queries. */
export type QueryRules = {
  readonly servers: ServerGroup;
  /** The absolute names to query for `host` in turn, at least one. */
  readonly names: (host: string) => readonly string[];
  /** The next group is asked only if one yields no address. */
  readonly groups: readonly FamilyGroup[];
  readonly clock: Clock;
};

/**
 * How long the addresses of one family wait for those of the other. RFC 8305, section 3 advises against waiting for a
 * server that never answers queries for one of them; its 50 ms are for two answers that are on their way.
 */
const otherFamilyMs = 500;

/** For how long addresses of one family alone are valid if the other was not answered. */
const partialMs = 5000;

const recordTypes: Readonly<Record<IpFamily, RecordType>> = { IPv4: 'A', IPv6: 'AAAA' };

/** A reply for the name that its aliases lead to. */
type Found = Exclude<Settled, { kind: 'alias' }>;

type Outcome = Found | ServersFailure;

/**
 * Queries name servers for the addresses of `host`, name by name of its search list.
 *
 * @throws NameError, the most significant one: of a server that fails rather than of a name that does not exist.
 */
export async function queriedAddresses(
  host: string,
  rules: QueryRules,
  signal: AbortSignal,
): Promise<Answer> {
  const failures: NameError[] = [];
  const names = rules.names(host);
  const asIs = absolute(host);
  let isSilent = false;
  for (const name of names) {
    // As the system's resolver: silence ends the search, but for the name as it is written.
    if (isSilent && name !== asIs) continue;
    for (const group of rules.groups) {
      const outcomes = await groupOutcomes(name, group, { rules, signal });
      signal.throwIfAborted();
      const answer = merged(outcomes);
      if (answer !== undefined) return answer;
      failures.push(failureOf(name, outcomes));
      isSilent ||= outcomes.some((each) => each instanceof ServersFailure && each.isSilence);
    }
  }
  throw mostSignificant(failures) ?? notFound(host, undefined);
}

/** `host` without the dot that may end it. */
function absolute(host: string): string {
  return host.replace(/\.$/, '');
}

/** What came of the queries for the families of `group`; undefined for one that was not waited for. */
async function groupOutcomes(
  name: string,
  group: FamilyGroup,
  { rules: { servers, clock }, signal }: { rules: QueryRules; signal: AbortSignal },
): Promise<(Outcome | undefined)[]> {
  const outcomes: (Outcome | undefined)[] = group.map(() => undefined);
  const ended = new AbortController();
  const both = AbortSignal.any([signal, ended.signal]);
  const enough = Promise.withResolvers<undefined>();
  let stopTimer: () => void = () => undefined;
  const queries = group.map(async (family, index) => {
    const outcome = await settledOf(followed({ name, type: recordTypes[family] }, servers, both));
    outcomes[index] = outcome;
    if (outcome instanceof ServersFailure || outcome.kind !== 'addresses') return;
    stopTimer();
    stopTimer = clock.after(otherFamilyMs, () => {
      enough.resolve(undefined);
    });
  });
  try {
    await Promise.race([Promise.all(queries), enough.promise]);
    return [...outcomes];
  } finally {
    stopTimer();
    ended.abort();
  }
}

/**
 * Asks the question, and then for what the answer is an alias of, if the server does not state it: one that is responsible for
 * the alias only.
 */
async function followed(question: DnsQuestion, servers: ServerGroup, signal: AbortSignal): Promise<Found> {
  let [{ name }, aliasMs] = [question, Infinity];
  for (let steps = 0; steps <= maxAliases; steps += 1) {
    const reply = await servers.ask({ ...question, name }, signal);
    if (reply.kind === 'addresses') return { ...reply, ttlMs: Math.min(reply.ttlMs, aliasMs) };
    if (reply.kind === 'nothing') return reply;
    aliasMs = Math.min(aliasMs, reply.ttlMs);
    name = reply.target;
  }
  return { kind: 'nothing', isName: true, ttlMs: undefined };
}

async function settledOf(reply: Promise<Found>): Promise<Outcome> {
  try {
    return await reply;
  } catch (error) {
    return error instanceof ServersFailure ? error : new ServersFailure('cancelled', false);
  }
}

function merged(outcomes: readonly (Outcome | undefined)[]): Answer | undefined {
  const found = outcomes.filter((each) => each !== undefined && 'kind' in each && each.kind === 'addresses');
  if (found.length === 0) return undefined;
  const isWhole = outcomes.every((each) => each !== undefined && 'kind' in each);
  const ttls = [...found.map(({ ttlMs }) => ttlMs), ...(isWhole ? [] : [partialMs])];
  return {
    addresses: found.flatMap(({ addresses }) => addresses),
    ttlMs: Math.min(...ttls),
  };
}

function failureOf(name: string, outcomes: readonly (Outcome | undefined)[]): NameError {
  const failed = outcomes.find((each) => each instanceof ServersFailure);
  if (failed !== undefined) return noAnswer(name, failed.message);
  const nothing = outcomes.filter((each) => each !== undefined && 'kind' in each && each.kind === 'nothing');
  const ttls = nothing.flatMap(({ ttlMs }) => ttlMs ?? []);
  const ttlMs = ttls.length === 0 ? undefined : Math.min(...ttls);
  return nothing.some(({ isName }) => isName) ? noAddress(name, ttlMs) : notFound(name, ttlMs);
}

/** A server that fails hides names, a name without addresses is nearer to one than a name that does not exist. */
function mostSignificant(errors: readonly NameError[]): NameError | undefined {
  return (['EAI_AGAIN', 'ENODATA', 'ENOTFOUND'] as const)
    .map((code) => errors.find((error) => error.code === code))
    .find((error) => error !== undefined);
}

/** The family of each of `addresses` in `order`; the others are left out. */
export function inFamilyOrder(
  addresses: readonly string[],
  groups: readonly FamilyGroup[],
): readonly string[] {
  for (const group of groups) {
    const found = group.flatMap((family) =>
      addresses.filter((address) => parseIpAddress(address)?.family === family),
    );
    if (found.length > 0) return found;
  }
  return [];
}

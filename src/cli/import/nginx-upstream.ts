import { ownValue } from '../../lib/record.ts';
import {
  fault,
  leftOut,
  ordered,
  remoteIn,
  scaled,
  undialable,
  type ForeignNote,
  type ForeignRemote,
  type Strategy,
} from './foreign.ts';
import type { NginxDirective } from './nginx-blocks.ts';

/** Named upstreams. */
export type Upstreams = ReadonlyMap<string, NginxDirective>;

/** The remotes of a server, and how they are chosen. */
export type Pool = { readonly remotes: readonly ForeignRemote[]; readonly strategy: Strategy };

/** What `proxy_pass` names: an upstream, or one remote. */
export function poolOf(
  { line, words }: NginxDirective,
  upstreams: Upstreams,
  notes: ForeignNote[],
): Pool | undefined {
  const [, target = ''] = words;
  const upstream = upstreams.get(target);
  if (upstream !== undefined) return upstreamPool(upstream, notes);
  const remote = remoteIn(target);
  if (remote !== undefined) return { remotes: [remote], strategy: 'off' };
  notes.push(undialable(line, 'proxy_pass', target, 'name an upstream, or HOST:PORT'));
  return undefined;
}

const strategyWords: Readonly<Record<string, Strategy>> = {
  least_conn: 'leastconnections',
  hash: 'iphash',
  random: 'roundrobin',
};

function upstreamPool({ line, words, block = [] }: NginxDirective, notes: ForeignNote[]): Pool | undefined {
  const servers = block.filter((each) => each.words[0] === 'server' && !each.words.includes('down'));
  const backups = servers.filter((each) => each.words.includes('backup'));
  const mains = servers.filter((each) => !backups.includes(each));
  const { chosen, isOrdered } = ordered(mains, backups);
  if (!isOrdered)
    notes.push(...backups.map((each) => leftOut(each.line, 'backup', oneBefore, each.words[1])));
  const remotes = chosen.flatMap((each) => serverOf(each, notes));
  const method = methodOf(block, notes);
  if (remotes.length > 0) return { remotes: scaled(remotes), strategy: isOrdered ? 'off' : method };
  notes.push(fault({ line, word: words.join(' ') }, 'has no server', 'add server HOST:PORT'));
  return undefined;
}

const oneBefore = 'Failover has one remote before the others';

/** How an upstream chooses; whatever else it has is noted. */
function methodOf(block: readonly NginxDirective[], notes: ForeignNote[]): Strategy {
  let strategy: Strategy = 'roundrobin';
  for (const { line, words } of block) {
    const [name = ''] = words;
    const method = ownValue(strategyWords, name);
    if (method !== undefined) strategy = method;
    else if (name !== 'server' && name !== 'zone') notes.push(leftOut(line, name));
  }
  return strategy;
}

function serverOf({ line, words }: NginxDirective, notes: ForeignNote[]): ForeignRemote[] {
  const [, address = '', ...parameters] = words;
  const remote = remoteIn(address);
  if (remote === undefined) {
    notes.push(undialable(line, 'server', address));
    return [];
  }
  const weight = parameters.find((each) => each.startsWith('weight='))?.slice('weight='.length);
  for (const parameter of parameters)
    if (!/^(?:weight|max_fails|fail_timeout)=|^(?:backup|resolve)$/.test(parameter))
      notes.push(leftOut(line, `server ${parameter}`));
  return [{ ...remote, ...(weight !== undefined && { weight: Number(weight) }) }];
}

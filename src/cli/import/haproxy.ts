import { bindings } from './haproxy-bind.ts';
import { serverPool, type HaproxyPool, type HaproxyServer } from './haproxy-server.ts';
import { wordsOf, type Directive } from './haproxy-words.ts';
import { ownValue } from '../../lib/record.ts';
import {
  balanceKeys,
  fault,
  leftOut,
  listenKeys,
  remoteKeys,
  secondsIn,
  type Foreign,
  type ForeignEndpoint,
  type ForeignNote,
  type ForeignReader,
  type Strategy,
} from './foreign.ts';

type Section = Directive & { readonly directives: Directive[] };

/** What of these a RealmRelay does anyway, or what concerns only the program. */
const silent =
  /^(?:mode|log|log-format|description|id|retries|option (?:tcplog|dontlognull|dontlog-normal|redispatch|tcpka|clitcpka|srvtcpka|splice-auto|contstats|logasap|log-health-checks|tcp-check|tcp-smart-accept|tcp-smart-connect)|server|default-server|bind|balance|default_backend|timeout|maxconn|backlog|source)\b/;

/**
 * Reads haproxy.cfg: the sections `listen`, and `frontend` with its `backend`, in TCP mode.
 *
 * Source: HAProxy Configuration Manual, chapters 4 and 5.
 */
export const readHaproxy: ForeignReader = (text) => {
  const notes: ForeignNote[] = [];
  const endpoints: ForeignEndpoint[] = [];
  const all = sections(text, notes);
  const defaults = new Defaults();
  for (const section of all) {
    const [kind = ''] = section.words;
    if (kind === 'defaults') defaults.add(section);
    else if (kind === 'listen' || kind === 'frontend')
      endpoints.push(...relayOf(section, { defaults: defaults.of(section), all, notes }));
    else if (!['global', 'backend'].includes(kind))
      notes.push(leftOut(section.line, section.words.join(' ')));
  }
  return { endpoints, notes } satisfies Foreign;
};

/**
 * The sections `defaults`: the one before a section applies to it, unless it names another.
 *
 * Source: HAProxy Configuration Manual, chapter 4, "[from <defaults_name>]".
 */
class Defaults {
  readonly #named = new Map<string, Section>();
  #last: Section | undefined;

  add(section: Section): void {
    const directives = [...(this.#namedBy(section)?.directives ?? []), ...section.directives];
    this.#last = { ...section, directives };
    this.#named.set(section.words[1] ?? '', this.#last);
  }

  of(section: Section): Section | undefined {
    return this.#namedBy(section) ?? this.#last;
  }

  #namedBy({ words }: Section): Section | undefined {
    const at = words.indexOf('from');
    return at < 0 ? undefined : this.#named.get(words[at + 1] ?? '');
  }
}

type Context = {
  readonly defaults: Section | undefined;
  readonly all: readonly Section[];
  readonly notes: ForeignNote[];
};

function sections(text: string, notes: ForeignNote[]): Section[] {
  const read: Section[] = [];
  for (const [index, written] of text.split('\n').entries()) {
    const words = wordsOf(written);
    const directive = { line: index + 1, words };
    const [first = ''] = words;
    if (words.length === 0) continue;
    if (first.startsWith('.')) {
      notes.push(leftOut(index + 1, first, 'the lines between .if and .endif are read in any case'));
      continue;
    }
    if (/^\s/.test(written)) read.at(-1)?.directives.push(directive);
    else if (sectionNames.includes(first)) read.push({ ...directive, directives: [] });
    else read.at(-1)?.directives.push(directive);
  }
  return read;
}

const sectionNames = [
  'global',
  'defaults',
  'listen',
  'frontend',
  'backend',
  'resolvers',
  'peers',
  'userlist',
  'cache',
  'program',
  'mailers',
  'ring',
  'http-errors',
  'fcgi-app',
  'crt-list',
  'log-forward',
  'traces',
];

function relayOf(section: Section, { defaults, all, notes }: Context): ForeignEndpoint[] {
  const [, name = ''] = section.words;
  const mode = lastOf('mode', section, defaults)?.words[1] ?? 'tcp';
  if (mode !== 'tcp') {
    notes.push(
      leftOut(section.line, `mode ${mode}`, 'a RealmRelay relays TCP and UDP without reading them', name),
    );
    return [];
  }
  const backend = backendOf(section, { defaults, all, notes });
  const holders = backend === section ? [section] : [section, backend];
  for (const holder of holders) noteUnknown(holder, notes);
  const pool = serverPool(
    holders.flatMap((each) => named('server', each)),
    {
      defaults: [
        ...named('default-server', defaults),
        ...holders.flatMap((each) => named('default-server', each)),
      ],
      notes,
    },
  );
  const found = endpointsOf({ section, backend, defaults }, pool, notes);
  if (pool.servers.length > 0) return found;
  if (holders.some((each) => named('server', each).length > 0)) return []; // why is among the notes
  const place = { line: section.line, word: section.words.join(' ') };
  notes.push(fault(place, 'has no server', 'add one, or remove the section'));
  return [];
}

function endpointsOf(sections: Sections, pool: HaproxyPool, notes: ForeignNote[]): ForeignEndpoint[] {
  const { section, backend, defaults } = sections;
  const [, name = ''] = section.words;
  const strategy = strategyOf(lastOf('balance', backend, defaults), pool.hasBackups, notes);
  const network = networkOf(sections, notes);
  const binds = bindings(section, notes);
  return binds.map((bind, index) => ({
    line: bind.line,
    endpoint: {
      name: binds.length === 1 ? name : `${name}-${String(index + 1)}`,
      ...listenKeys(bind.host, bind.ports),
      ...remoteKeys(pool.servers, bind.ports),
      ...balanceKeys(strategy, pool.servers),
      ...throughOf(backend, pool.servers),
      ...(bind.transport !== undefined && { listen_transport: bind.transport }),
      ...(pool.transport !== undefined && { remote_transport: pool.transport }),
      ...(pool.check !== undefined && { health_check: pool.check }),
      network: { ...network, ...pool.network, ...bind.network },
    },
  }));
}

function named(word: string, section: Section | undefined): Directive[] {
  return section?.directives.filter(({ words }) => words[0] === word) ?? [];
}

function lastOf(word: string, section: Section, defaults: Section | undefined): Directive | undefined {
  return [...named(word, defaults), ...named(word, section)].at(-1);
}

/** The section with the servers: the section itself, or the backend that it names. */
function backendOf(section: Section, { defaults, all, notes }: Context): Section {
  const uses = named('use_backend', section);
  const certain = uses.find(({ words }) => words.length === 2);
  const chosen = certain ?? lastOf('default_backend', section, defaults);
  for (const use of uses)
    if (use !== certain)
      notes.push(
        leftOut(
          use.line,
          'use_backend',
          'a RealmRelay has no conditions: use an endpoint for each',
          use.words.slice(1).join(' '),
        ),
      );
  const name = chosen?.words[1];
  if (name === undefined) return section;
  const backend = all.find(({ words }) => words[0] === 'backend' && words[1] === name);
  if (backend !== undefined) return backend;
  const remedy = 'add the section backend, or correct the name';
  const place = { line: chosen?.line ?? section.line, word: 'default_backend', value: name };
  notes.push(fault(place, 'is no backend of the file', remedy));
  return section;
}

function noteUnknown({ directives }: Section, notes: ForeignNote[]): void {
  for (const { line, words } of directives)
    if (!silent.test(words.join(' ')) && words[0] !== 'use_backend')
      notes.push(
        leftOut(line, words.slice(0, 2).join(' '), undefined, words.slice(2).join(' ') || undefined),
      );
}

const strategies: Readonly<Record<string, Strategy>> = {
  roundrobin: 'roundrobin',
  'static-rr': 'roundrobin',
  leastconn: 'leastconnections',
  first: 'off',
  source: 'iphash',
};

function strategyOf(directive: Directive | undefined, hasBackups: boolean, notes: ForeignNote[]): Strategy {
  if (hasBackups) return 'off';
  const word = directive?.words[1] ?? 'roundrobin';
  const strategy = ownValue(strategies, word);
  if (strategy !== undefined) return strategy;
  const remedy = 'choose RoundRobin, IPHash, Failover or LeastConnections';
  notes.push(leftOut(directive?.line ?? 1, 'balance', remedy, word));
  return 'roundrobin';
}

type Sections = {
  readonly section: Section;
  readonly backend: Section;
  readonly defaults: Section | undefined;
};

function networkOf({ section, backend, defaults }: Sections, notes: ForeignNote[]) {
  const time = (name: string): number | undefined => {
    const all = [defaults, section, backend].flatMap((each) => named('timeout', each));
    const directive = all.findLast(({ words }) => words[1] === name);
    return directive === undefined ? undefined : timeOf(directive, notes);
  };
  const connect = time('connect');
  const idle = time('tunnel') ?? smallest(time('client'), time('server'));
  const limit = Number(named('maxconn', section).at(-1)?.words[1] ?? 0);
  return {
    ...(connect !== undefined && { tcp_timeout: connect }),
    ...(idle !== undefined && { tcp_idle_timeout: idle }),
    ...(limit > 0 && { max_connections: limit }),
  };
}

function timeOf({ line, words }: Directive, notes: ForeignNote[]): number | undefined {
  const [, name = '', value = ''] = words;
  const seconds = secondsIn(value, 'ms');
  if (seconds !== undefined) return seconds;
  const remedy = 'use a number and us, ms, s, m, h or d';
  notes.push(fault({ line, word: `timeout ${name}`, value }, 'is no time', remedy));
  return undefined;
}

function smallest(...values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
}

/** The source address of dials: of the section, or of its first server. */
function throughOf(backend: Section, servers: readonly HaproxyServer[]): { through?: string } {
  const word = servers[0]?.source ?? named('source', backend).at(-1)?.words[1];
  const host = word?.replace(/:[0-9]+$/, '');
  return host === undefined || ['0.0.0.0', '*', ''].includes(host) ? {} : { through: host };
}

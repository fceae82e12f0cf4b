import { expect } from 'chai';
import fc from 'fast-check';
import { ConfigError } from '../../src/config/config-error.ts';
import type { ConfigText } from '../../src/config/config-text.ts';
import { parseRelayConfig, type Overrides, type ParsedConfig } from '../../src/config/parsed-config.ts';
import { ReadingMemory } from '../../src/config/reading-memory.ts';
import { mutationsOf, valid } from './mutated-documents.ts';

type Outcome = ParsedConfig | { readonly rejected: string };

function read(texts: readonly ConfigText[], overrides?: Overrides, memory?: ReadingMemory): Outcome {
  try {
    return parseRelayConfig(texts, overrides, memory);
  } catch (error) {
    if (error instanceof ConfigError) return { rejected: error.message };
    throw error;
  }
}

const json = (...documents: readonly unknown[]): ConfigText[] =>
  documents.map((document, index) => ({
    source: `${String(index)}.json`,
    text: document === undefined ? '' : JSON.stringify(document),
  }));
const endpoint = (port: number, more: object = {}) => ({
  listen: `127.0.0.1:${String(port)}`,
  remote: 'a.example:1',
  ...more,
});

/** A configuration with every kind of value and no warning, so all of it is remembered. */
const quiet = {
  ...valid,
  endpoints: [
    { ...valid.endpoints[0], network: { ipv6_only: true, tcp_keepalive: 5 } },
    ...valid.endpoints.slice(1),
    endpoint(8000, { listen_end_port: 8002, fixed_remote_ports: [true] }),
    endpoint(8010, { name: 'range', remote_transport: 'tls;sni=a.example', network: { use_udp: false } }),
    endpoint(8011, { range_of: 'range', remote_transport: 'tls;sni=a.example', network: { use_udp: false } }),
  ],
};

describe('a configuration that is read again', () => {
  it('has the result, the problems and the warnings of a first reading, whatever was changed', () => {
    const outcomes = { rejected: 0, warned: 0, accepted: 0 };
    const documents = fc.oneof(fc.constant(quiet), mutationsOf(quiet), mutationsOf(valid));
    const texts = fc.array(documents, { minLength: 1, maxLength: 2 });
    const readings = fc.array(texts, { minLength: 2, maxLength: 6 });
    const overrides = fc.constantFrom<Overrides>({}, { network: { use_udp: true, tcp_timeout: 7 } });
    fc.assert(
      fc.property(readings, overrides, (each, given) => {
        const memory = new ReadingMemory();
        for (const reading of [[quiet], ...each, [quiet]]) {
          const first = read(json(...reading), given);
          expect(read(json(...reading), given, memory)).to.deep.equal(first);
          if ('rejected' in first) outcomes.rejected += 1;
          else outcomes[first.warnings.length > 0 ? 'warned' : 'accepted'] += 1;
        }
      }),
      { numRuns: 300 },
    );
    expect(Math.min(...Object.values(outcomes)), JSON.stringify(outcomes)).to.be.greaterThan(0);
  });

  const base = { network: { tcp_timeout: 3 }, endpoints: [endpoint(1), endpoint(2, { name: 'b' })] };
  const isKept = (before: readonly ConfigText[], after: readonly ConfigText[]): readonly boolean[] => {
    const memory = new ReadingMemory();
    const old = parseRelayConfig(before, {}, memory).config.endpoints;
    return parseRelayConfig(after, {}, memory).config.endpoints.map((each) => old.includes(each));
  };

  const kept: readonly { readonly why: string; readonly after: object; readonly kept: readonly boolean[] }[] =
    [
      { why: 'nothing has changed', after: base, kept: [true, true] },
      {
        why: 'one is new and comes first',
        after: { ...base, endpoints: [endpoint(3), ...base.endpoints] },
        kept: [false, true, true],
      },
      {
        why: 'one has another remote',
        after: { ...base, endpoints: [endpoint(1, { remote: 'b.example:1' }), base.endpoints[1]] },
        kept: [false, true],
      },
      {
        why: 'one has got a default explicitly, and so is what it was',
        after: { ...base, endpoints: [endpoint(1, { network: { use_udp: false } }), base.endpoints[1]] },
        kept: [true, true],
      },
      {
        why: 'a network setting of all has changed',
        after: { ...base, network: { tcp_timeout: 4 } },
        kept: [false, false],
      },
      {
        why: 'all may dial less than before',
        after: { ...base, denied_destinations: ['10.0.0.0/8'] },
        kept: [false, false],
      },
      {
        why: 'one warns, but is what it was',
        after: { ...base, endpoints: [endpoint(1, { unknown: 1 }), base.endpoints[1]] },
        kept: [true, true],
      },
    ];
  for (const { why, after, kept: expected } of kept) {
    it(`has the same objects for endpoints that are as before: ${why}`, () => {
      expect(isKept(json(base), json(after))).to.deep.equal(expected);
    });
  }

  it('has the same objects beside equal lists of denied destinations', () => {
    const limited = { ...base, denied_destinations: ['10.0.0.0/8'] };
    expect(isKept(json(limited), json(limited))).to.deep.equal([true, true]);
  });

  it('reports a date of TOML in place of a table or a text, although their JSON is the same', () => {
    const toml = (network: string, name: string): ConfigText[] => [
      {
        source: 'a.toml',
        text: `[[endpoints]]\nlisten = "127.0.0.1:1"\nremote = "a:1"\nname = ${name}\nnetwork = ${network}\n`,
      },
    ];
    const date = '2026-01-01T00:00:00.000Z';
    const memory = new ReadingMemory();
    expect(read(toml('{}', `"${date}"`), {}, memory)).to.have.property('config');
    for (const changed of [toml('{}', date), toml('2026-01-01', `"${date}"`)]) {
      expect(read(changed, {}, memory)).to.have.property('rejected');
      expect(read(changed, {}, memory)).to.deep.equal(read(changed));
    }
  });
});

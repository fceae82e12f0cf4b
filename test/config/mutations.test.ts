import { expect } from 'chai';
import fc from 'fast-check';
import { ConfigError } from '../../src/config/config-error.ts';
import { parseRelayConfig, type ParsedConfig } from '../../src/config/parsed-config.ts';
import { pathText } from '../../src/lib/problem.ts';

/** A valid configuration with every kind of value. */
const valid = {
  log: { level: 'info', output: 'stderr' },
  dns: { mode: 'ipv4_then_ipv6', nameservers: ['192.0.2.1:53', 'ns.example:53'], min_ttl: 1, max_ttl: 60 },
  network: {
    use_udp: true,
    tcp_timeout: 3,
    max_associations: 5,
    accept_proxy_trusted: ['10.0.0.0/8'],
    allowed_sources: ['::/0'],
  },
  endpoints: [
    {
      name: 'web',
      listen: '[::]:443',
      remote: 'a.example:8443',
      extra_remotes: ['192.0.2.1:1', '[2001:db8::1]:2'],
      balance: 'roundrobin: 3, 2, 1',
      through: '192.0.2.9',
      health_check: { interval: 5, unhealthy_threshold: 2 },
      network: { ipv6_only: true, tcp_keepalive: 5, send_proxy: true, send_proxy_version: 1 },
    },
    { listen: '0.0.0.0:53', remote: '192.0.2.1:53', network: { no_tcp: true, udp_timeout: 5 } },
  ],
};

type Where = readonly (string | number)[];

/** Every place of `value`, its root included. */
function places(value: unknown, at: Where = []): Where[] {
  if (typeof value !== 'object' || value === null) return [at];
  return [at, ...Object.entries(value).flatMap(([key, inner]) => places(inner, [...at, key]))];
}

/** `value` with what `change` makes of the place `at`; undefined takes it away. */
function changed(value: unknown, [key, ...rest]: Where, change: (old: unknown) => unknown): unknown {
  if (key === undefined) return change(value);
  const copy = structuredClone(value) as Record<string | number, unknown>;
  const inner = changed(copy[key], rest, change);
  if (inner !== undefined) copy[key] = inner;
  else if (Array.isArray(copy)) copy.splice(Number(key), 1);
  else Reflect.deleteProperty(copy, key);
  return copy;
}

const strange = fc.oneof(
  fc.jsonValue(),
  fc.constantFrom(
    -1,
    1e308,
    0.5,
    2 ** 53,
    '',
    ' ',
    '\0',
    'x'.repeat(5000),
    '[::1',
    ':0',
    '1.2.3.4:99999',
    '%',
  ),
  fc.string({ unit: 'binary' }),
);

/** One change of a document: another value, none, one more key, half a text, or the same twice. */
const change = fc.oneof(
  strange.map((value) => () => value),
  fc.constant(() => undefined),
  fc.tuple(fc.string(), strange).map(([key, value]) => (old: unknown) => {
    return typeof old === 'object' && old !== null && !Array.isArray(old) ? { ...old, [key]: value } : value;
  }),
  fc.nat(40).map((cut) => (old: unknown) => (typeof old === 'string' ? old.slice(cut) : String(old))),
  fc.constant((old: unknown) =>
    Array.isArray(old) ? [...(old as unknown[]), ...(old as unknown[])] : [old],
  ),
);

function outcome(text: string): ParsedConfig | ConfigError {
  try {
    return parseRelayConfig([{ source: 'relay.json', text }]);
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
}

describe('a configuration that was valid', () => {
  const all = places(valid);
  const mutated = fc
    .array(fc.tuple(fc.nat(all.length - 1), change), { minLength: 1, maxLength: 3 })
    .map((changes) => {
      return changes.reduce<unknown>((document, [index, change]) => {
        const at = all[index] ?? [];
        return places(document).some((each) => each.join('\0') === at.join('\0'))
          ? changed(document, at, change)
          : document;
      }, valid);
    });

  it('is a configuration after any change, or refused with the path of each problem; never a crash', () => {
    expect(outcome(JSON.stringify(valid))).to.have.property('config');
    let refused = 0;
    fc.assert(
      fc.property(mutated, (document) => {
        const text = document === undefined ? '' : JSON.stringify(document);
        const found = outcome(text);
        if (!(found instanceof ConfigError)) {
          expect(found.config.endpoints).to.be.an('array');
          return;
        }
        refused += 1;
        expect(found.problems).to.not.have.length(0);
        const isMapping = typeof document === 'object' && document !== null && !Array.isArray(document);
        for (const { path, what } of found.problems) {
          expect(what).to.not.equal('');
          if (isMapping)
            expect(pathText(path), `${what} in ${text}`).to.match(/^(log|dns|network|endpoints)/);
        }
        for (const line of found.message.split('\n')) expect(line).to.match(/^relay\.json: ./);
        expect(found.message).to.not.match(/^\s+at /m);
      }),
      { numRuns: 3000 },
    );
    expect(refused).to.be.greaterThan(500);
  });
});

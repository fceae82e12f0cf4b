import fc from 'fast-check';

/** A valid configuration with every kind of value. */
export const valid = {
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

/** Every path in `value`, including the root. */
function places(value: unknown, at: Where = []): Where[] {
  if (typeof value !== 'object' || value === null) return [at];
  return [at, ...Object.entries(value).flatMap(([key, inner]) => places(inner, [...at, key]))];
}

/** `value` with the value at a path replaced by the result of `change`; undefined removes it. */
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

/** One change of a document: another value, none, one more key, half a text, or a duplicate. */
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

/** `document` after one to three changes anywhere; undefined without anything. */
export function mutationsOf(document: object): fc.Arbitrary<unknown> {
  const all = places(document);
  return fc.array(fc.tuple(fc.nat(all.length - 1), change), { minLength: 1, maxLength: 3 }).map((changes) =>
    changes.reduce<unknown>((mutated, [index, change]) => {
      const at = all[index] ?? [];
      return places(mutated).some((each) => each.join('\0') === at.join('\0'))
        ? changed(mutated, at, change)
        : mutated;
    }, document),
  );
}

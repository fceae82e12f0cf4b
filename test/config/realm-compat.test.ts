import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { ConfigError } from '../../src/config/config-error.ts';
import { dnsKeys } from '../../src/config/dns-config.ts';
import { healthCheckKeys } from '../../src/config/health-check-keys.ts';
import { logKeys } from '../../src/config/log-config.ts';
import { networkKeys } from '../../src/config/network-keys.ts';
import { endpointKeys, endpointRules, overrideRules } from '../../src/config/realm-rules.ts';
import { relayConfig, type ParsedConfig } from '../../src/config/parsed-config.ts';
import { pathText } from '../../src/lib/problem.ts';
import { flagTable } from '../../src/relay/command-line/flag-table.ts';
import { parseFlags } from '../../src/relay/command-line/flags.ts';
import { UsageError } from '../../src/lib/usage-error.ts';
import { code, endpoint, root, rows, documentWith } from './realm-compat-page.ts';

function outcome(document: unknown): ParsedConfig | ConfigError {
  try {
    return relayConfig(document, 'test');
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
}

describe('docs/realm-compat.md', () => {
  it('has a row for every key, and no others', () => {
    const tables = { ...overrideRules, 'endpoints[]': endpointRules };
    const keys = Object.entries(tables).flatMap(([table, rules]) =>
      Object.keys(rules).map((key) => `${table}.${key}`),
    );
    keys.push('denied_destinations');
    const documented = rows('Keys').map(([key]) => code(key));
    expect(keys.filter((key) => !documented.includes(key))).to.deep.equal([]);
    expect(documented.filter((key) => !keys.includes(key))).to.deep.equal([]);
  });

  it('names every key of health_check', () => {
    const row = rows('Keys').find(([key]) => code(key) === 'endpoints[].health_check');
    for (const key of Object.keys(healthCheckKeys)) expect(row?.[1]).to.contain(`\`${key}\``);
  });

  it('marks as ours exactly the keys that Realm does not know', () => {
    const tables = { log: logKeys, dns: dnsKeys, network: networkKeys, 'endpoints[]': endpointKeys };
    const ours = Object.entries(tables).flatMap(([table, keys]) =>
      Object.entries(keys).flatMap(([key, { isOurs }]) => (isOurs ? `${table}.${key}` : [])),
    );
    const called = rows('Keys').filter(([, here = '']) => here.startsWith('ours'));
    expect(called.map(([key]) => code(key))).to.have.members(['denied_destinations', ...ours]);
  });

  it('has a row for every flag, short and long, and no others', () => {
    const flags = Object.entries(flagTable).map(([name, { short }]) =>
      [...(short === undefined ? [] : [`\`-${short}\``]), `\`--${name}\``].join(', '),
    );
    expect(rows('Flags').map(([flag]) => flag)).to.have.members(flags);
  });

  for (const [key = '', here = '', example] of rows('Keys')) {
    it(`is right about ${key}: ${here}`, () => {
      const document = documentWith(code(key), JSON.parse(code(example)));
      const found = outcome(document);
      const path = code(key).replace('[]', '[0]');
      const isNoEffect = here.startsWith('no effect');
      if (here.startsWith('refused')) {
        expect(found).to.be.instanceOf(ConfigError);
        if (found instanceof ConfigError) {
          expect(found.problems.map((each) => pathText(each.path))).to.deep.equal([path]);
        }
        return;
      }
      expect(here).to.match(/^(works|ours|no effect)/);
      if (found instanceof ConfigError) throw found;
      expect(found.warnings.map((each) => pathText(each.path))).to.deep.equal(isNoEffect ? [path] : []);
      if (!here.includes('alone it means nothing') && code(example) !== 'false') {
        const plain = outcome({ endpoints: [endpoint] });
        if (isNoEffect) expect(found).to.have.deep.property('config', 'config' in plain && plain.config);
        else expect(found).to.not.have.deep.property('config', 'config' in plain && plain.config);
      }
    });
  }

  for (const [flag = '', here = '', example] of rows('Flags')) {
    it(`is right about ${flag}: ${here}`, () => {
      const name = /`--([^`]+)`/.exec(flag)?.[1] ?? '';
      const argv = code(example).split(' ');
      if (here.startsWith('refused')) {
        expect(() => parseFlags(argv)).to.throw(UsageError, `--${name}: `);
        return;
      }
      const { withoutEffect, ...flags } = parseFlags(argv);
      const isNoEffect = here.startsWith('no effect');
      expect(withoutEffect).to.deep.equal(isNoEffect ? [name] : []);
      const plain = parseFlags(['-c', 'y']);
      if (isNoEffect) expect({ ...flags, config: 'y', withoutEffect: [] }).to.deep.equal(plain);
      else if (!here.includes('alone it means nothing'))
        expect({ ...flags, config: argv[1] === 'x' && name !== 'config' ? 'y' : 'x' }).to.not.deep.equal(
          plain,
        );
    });
  }

  for (const row of ['Keys', 'Flags', 'Where this relay differs'].flatMap(rows)) {
    const [named = '', test = ''] = [row[0], row.at(-1)];
    it(`names a test that exists for ${named}: ${test}`, () => {
      const [, file = '', title = ''] = /^(\S+\.test\.ts): (.+)$/.exec(test) ?? [];
      const source = readFileSync(join(root, 'test', file), 'utf8');
      expect(source.replaceAll('\\', '')).to.contain(title);
    });
  }
});

describe('docs/realm-compat.md, behaviour that must differ from Realm', () => {
  const mustDiffer = [
    /^`\[::\]:P` and `0\.0\.0\.0:P`, TCP$/,
    /^the same, UDP$/,
    /^a bind fails at a start without a file$/,
    /^a wrong configuration$/,
    /^an unknown key$/,
    /^file descriptors run out/,
    /^SIGTERM$/,
    /^half-close$/,
    /^a reset$/,
    /^`iphash`$/,
    /^a remote is down$/,
    /^a datagram above 1,500 bytes$/,
    /^a UDP association$/,
    /^many UDP associations$/,
    /^the source of a UDP reply/,
    /^a PROXY header in several segments/,
    /^the lookup of a remote's name$/,
    /^a TLS or WebSocket handshake$/,
    /^when a remote is dialled$/,
    /^a remote whose handshake fails$/,
    /^a wrong WebSocket request$/,
    /^`Connection: keep-alive, Upgrade`$/,
    /^a WebSocket ping$/,
    /^`--tcp-keepalive`, `--tcp-keepalive-probe`$/,
    /^reload, drain, metrics, readiness, status$/,
    /^a list of the clients that may come$/,
  ];
  for (const wanted of mustDiffer) {
    it(`has one row for ${String(wanted)}`, () => {
      const cases = rows('Where this relay differs').map(([each = '']) => each);
      expect(cases.filter((each) => wanted.test(each))).to.have.length(1);
    });
  }
});

import type { V1Service } from '@kubernetes/client-node';
import { expect } from 'chai';
import { specStructure, type StructuralSchema } from '../../src/api/crd.ts';
import { parseRelayConfig } from '../../src/config/parsed-config.ts';
import { portsOf } from '../../src/config/port-config.ts';
import { configHash, configKey, configText, realmDocument } from '../../src/desired/config-map.ts';
import { desiredObjects } from '../../src/desired/desired-objects.ts';
import { defaultDeniedDestinations, onPlatform, type Platform } from '../../src/desired/platform.ts';
import { portsFrom } from '../../src/lib/port-range.ts';
import { expectGolden } from '../golden.ts';
import { endpoint, relay } from '../support/realm-relays.ts';
import { goldenRelayManifests, goldenRelays, sideBySide } from './golden-relays.ts';

const platform: Platform = {
  relayImage: 'example.com/relay@sha256:0',
  relayEngine: 'auto',
  operatorNamespace: 'operators',
  deniedDestinations: defaultDeniedDestinations,
};

describe('desiredObjects', () => {
  for (const [name, input] of Object.entries(goldenRelays)) {
    it(`${name}: matches its golden file`, () => {
      expectGolden(name, desiredObjects(input, platform));
    });

    it(`${name}: the relay program reads its configuration without a warning`, () => {
      const text = configText(onPlatform(input, platform));
      const { config, warnings } = parseRelayConfig([{ source: name, text }]);
      expect(warnings).to.deep.equal([]);
      for (const { deniedDestinations } of config.endpoints)
        expect(deniedDestinations).to.deep.equal(defaultDeniedDestinations);
      expect(config.endpoints.map((read) => read.name)).to.deep.equal(
        input.endpoints.map((written) => written.name),
      );
    });

    it(`${name}: contains nothing empty, which the API server would drop`, () => {
      expect(emptyFields(desiredObjects(input, platform))).to.deep.equal([]);
    });
  }

  it('has no key of denied destinations if there are none', () => {
    const [configMap] = desiredObjects(relay(), { ...platform, deniedDestinations: [] });
    expect(JSON.stringify(configMap)).to.not.contain('denied');
  });

  it('stays within the size limit of a ConfigMap, however large the ranges, names and lists are', () => {
    const longName = `${`${'a'.repeat(62)}.`.repeat(3)}${'b'.repeat(63)}`;
    const remotes = Array.from({ length: 4 }, () => ({ address: longName, port: 10_000, weight: 255 }));
    const trustedSources = Array.from(
      { length: 64 },
      (_, index) => `2001:db8:${'ffff:'.repeat(5)}${(4096 + index).toString(16)}/128`,
    );
    const allowedSources = trustedSources;
    const network = {
      allowedSources,
      sendProxy: { enabled: true },
      acceptProxy: { enabled: true, trustedSources },
    };
    const address = `2001:db8${':ffff'.repeat(6)}`;
    const largest = [10_000, 20_000].map((port) =>
      endpoint({
        name: `longest-${String(port)}`,
        address,
        port,
        endPort: port + 255,
        remotes,
        network,
        through: address,
      }),
    );
    expect(configText(relay(largest)).length).to.be.within(800_000, 1024 * 1024);
  });

  it('renders a relay with more ports than a Service can have in a few lines, as it reads them back', () => {
    const large = relay([endpoint({ port: 20_000, endPort: 29_999 })], { service: { enabled: false } });
    const text = configText(large);
    expect(text.length).to.be.below(2000);
    const { config, warnings } = parseRelayConfig([{ source: configKey, text }]);
    expect(warnings).to.deep.equal([]);
    const ports = config.endpoints.flatMap(portsOf);
    expect(ports.map(({ listen }) => listen.port)).to.deep.equal(portsFrom(20_000, 29_999));
  });

  it('renders up to 512 ports one by one, so that Realm serves them all', () => {
    const endpoints = (port: number) => {
      const range = endpoint({ port, endPort: 8511 });
      return realmDocument(relay([range], { service: { enabled: false } })).endpoints;
    };
    expect(endpoints(8000)).to.have.length(512);
    expect(endpoints(7999)).to.have.length(1);
  });

  it('creates a Service port for each port and protocol of a range, with valid names', () => {
    const [service] = desiredObjects(
      relay([
        endpoint({
          port: 65_280,
          endPort: 65_535,
          network: { udp: true },
          remotes: [{ address: 'b', port: 1 }],
        }),
      ]),
      platform,
    ).slice(2) as V1Service[];
    const ports = service?.spec?.ports ?? [];
    expect(ports).to.have.length(512);
    expect(new Set(ports.map(({ name }) => name))).to.have.property('size', 512);
    for (const { name, port, targetPort, protocol } of ports) {
      expect(name)
        .to.equal(`${protocol?.toLowerCase() ?? ''}-${String(port)}`)
        .and.to.match(/^[a-z0-9-]{1,15}$/);
      expect(targetPort).to.equal(port);
    }
  });

  it('is covered by the golden files for every field of a RealmRelay', () => {
    const shown = new Set(Object.values(goldenRelayManifests).flatMap(({ spec }) => fieldsOf(spec)));
    const missing = fieldsOfSchema(specStructure()).filter((field) => !shown.has(field));
    // Nothing is rendered of a paused relay.
    expect(missing).to.deep.equal(['spec.paused']);
  });

  it('keeps the Pod template when endpoints change, so that no Pod restarts', () => {
    const [one, two] = [relay(), relay(sideBySide)].map((input) =>
      JSON.stringify(desiredObjects(input, platform)[1]),
    );
    expect(two).to.equal(one);
  });

  it('names its owner if the relay has a UID', () => {
    const input = relay();
    const owner = { apiVersion: 'realm-operator.dev/v1alpha1', kind: 'RealmRelay', name: 'web', uid: 'u' };
    const owned = { ...input, owner };
    for (const { metadata } of desiredObjects(owned, platform)) {
      expect(metadata.ownerReferences).to.deep.equal([
        { ...owner, controller: true, blockOwnerDeletion: true },
      ]);
    }
  });
});

describe('configHash', () => {
  it('changes with what the relay program runs, and with nothing else', () => {
    expect(configHash(relay())).to.equal(configHash(relay([endpoint()], { replicas: 5, drainSeconds: 1 })));
    expect(configHash(relay())).not.to.equal(configHash(relay([endpoint({ port: 444 })])));
  });
});

/** Every field of `schema`, with the field around it, e.g. `listen.port`; one that is in several places appears once. */
function fieldsOfSchema(schema: StructuralSchema, within = 'spec'): string[] {
  const { properties = {}, items } = schema;
  const own = Object.entries(properties).flatMap(([name, field]) => [
    `${within}.${name}`,
    ...fieldsOfSchema(field, name),
  ]);
  return [...new Set([...own, ...(items === undefined ? [] : fieldsOfSchema(items, within))])];
}

/** Every field of `value`, named in the same way. */
function fieldsOf(value: unknown, within = 'spec'): string[] {
  if (Array.isArray(value)) return value.flatMap((item) => fieldsOf(item, within));
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, field]) => [`${within}.${name}`, ...fieldsOf(field, name)]);
}

/** Paths at which an empty value has a meaning: a selector that selects everything, and values of labels. */
const meantEmpty = /\.(namespaceSelector|podSelector|(matchLabels|nodeSelector)\..*)$/;

/** Paths of empty lists, maps and strings, nulls, and zeros and falses of optional fields within `value`. */
function emptyFields(value: unknown, path = ''): string[] {
  if (meantEmpty.test(path)) return [];
  if (value === null || value === undefined || value === '') return [path];
  if (typeof value !== 'object') return [];
  const entries = Object.entries(value);
  if (entries.length === 0) return [path];
  return entries.flatMap(([key, field]) => emptyFields(field, `${path}.${key}`));
}

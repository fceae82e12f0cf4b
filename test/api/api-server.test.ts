import { expect } from 'chai';
import fc from 'fast-check';
import { parseRealmRelay } from '../../src/api/parse.ts';
import { portConflicts } from '../../src/api/port-conflicts.ts';
import type { EndpointSpec } from '../../src/api/schema/endpoint.ts';
import { apiVersion, plural, type RealmRelay } from '../../src/api/schema/realm-relay.ts';
import { desiredObjects } from '../../src/desired/desired-objects.ts';
import { defaultDeniedDestinations } from '../../src/desired/platform.ts';
import { applyPolicy, policyManifests } from '../admission/policies.ts';
import type { ControlPlane } from '../cluster/control-plane.ts';
import { eventually } from '../support/eventually.ts';
import { describeWithCluster } from '../cluster/shared.ts';
import { goldenRelayManifests } from '../desired/golden-relays.ts';
import { endpoint, parsed, realmRelay } from '../support/realm-relays.ts';
import { badRelays } from './bad-relays.ts';

const crd = new URL('../../crds/realmrelays.yaml', import.meta.url).pathname;

const conflicting = [
  endpoint({ name: 'https-v6', address: '::' }),
  endpoint({ name: 'https-v4', address: '0.0.0.0' }),
];

/** Sends `relay` for `namespace` as a dry run: all of admission runs. */
async function dryRun(
  cluster: ControlPlane,
  namespace: string,
  relay: unknown,
): Promise<{ status: number; message: string }> {
  const { metadata, ...rest } = relay as RealmRelay;
  const path = `/apis/${apiVersion}/namespaces/${namespace}/${plural}?dryRun=All`;
  const { status, json } = await cluster.request('POST', path, {
    ...rest,
    metadata: { ...metadata, namespace },
  });
  return { status, message: (json() as { message?: string }).message ?? '' };
}

describeWithCluster('RealmRelay on the API server', (cluster) => {
  let namespace: string;
  before(async () => {
    namespace = await cluster().namespace();
  });

  it('its CRD is accepted with no warning', async () => {
    const { code, stderr } = await cluster().kubectl(['apply', '--server-side', '-f', crd]);
    expect({ code, stderr }).to.deep.equal({ code: 0, stderr: '' });
  });

  it('kubectl explain shows meaning, default and unit', async () => {
    // The API server publishes a schema some time after it accepts a CRD, and an older one until then.
    await eventually('the published schema', async () => {
      const { stdout } = await cluster().kubectl(['explain', 'realmrelay.spec.network.udpTimeoutSeconds']);
      return stdout.replace(/\s+/g, ' ').includes('Default: 30. Unit: seconds.');
    });
  });

  it('kubectl get shows ready Pods, the reason, endpoints and age, and with -o wide addresses and message', async () => {
    const shown = await cluster().namespace();
    await cluster().kubectl(['apply', '-f', '-'], JSON.stringify(inNamespace(realmRelay(), shown)));
    const columns = async (...flags: string[]): Promise<string[]> => {
      const { stdout } = await cluster().kubectl(['get', 'rr', '-n', shown, ...flags]);
      return (stdout.split('\n')[0] ?? '').split(/\s+/).filter(Boolean);
    };
    expect(await columns()).to.deep.equal(['NAME', 'READY', 'REASON', 'ENDPOINTS', 'AGE']);
    expect(await columns('-o', 'wide')).to.deep.equal([
      ...['NAME', 'READY', 'REASON', 'ENDPOINTS', 'ADDRESSES', 'MESSAGE', 'AGE'],
    ]);
  });

  for (const [what, { document, refusedBy }] of Object.entries(badRelays)) {
    if (refusedBy === 'policy') continue;
    it(`its CRD rejects ${what}`, async () => {
      expect((await dryRun(cluster(), namespace, document)).status).to.equal(422);
    });
  }

  for (const [name, manifest] of Object.entries(goldenRelayManifests)) {
    it(`its CRD accepts ${name}`, async () => {
      expect(await dryRun(cluster(), namespace, manifest)).to.deep.equal({ status: 201, message: '' });
    });
  }

  it('adds no defaults to a RealmRelay except replicas and observedGeneration', async () => {
    const { metadata, ...wanted } = inNamespace(realmRelay(), namespace);
    const path = `/apis/${apiVersion}/namespaces/${namespace}/${plural}`;
    const { metadata: _, ...kept } = (
      await cluster().request('POST', path, { metadata, ...wanted })
    ).json() as RealmRelay;
    expect(kept).to.deep.equal({
      ...wanted,
      spec: { ...wanted.spec, replicas: 1 },
      status: { observedGeneration: -1 },
    });
  });
});

describeWithCluster('the admission policy', (cluster) => {
  let namespace: string;
  before(async () => {
    namespace = await cluster().namespace();
    await applyConflictPolicy(cluster(), namespace);
  });

  it('rejects a conflicting manifest with the message of our parser', async () => {
    const { code, stderr } = await cluster().kubectl(
      ['apply', '-f', '-'],
      JSON.stringify(inNamespace(realmRelay(conflicting), namespace)),
    );
    expect(code).to.equal(1);
    expect(stderr).to.contain(ownMessages(realmRelay(conflicting))[0]);
  });

  for (const [what, { document, refusedBy, remedy }] of Object.entries(badRelays)) {
    if (refusedBy !== 'policy') continue;
    it(`rejects ${what}`, async () => {
      const { status, message } = await dryRun(cluster(), namespace, document);
      expect(status).to.equal(422);
      if (!remedy.startsWith('[')) expect(message).to.contain(remedy);
    });
  }

  it('agrees with our own rules about 2,500 generated relays', async () => {
    const relays = [...fc.sample(anyRelay, 2_000), ...fc.sample(sniRelay, 500)];
    let refused = 0;
    for (const relay of relays) {
      const own = parseRealmRelay(relay);
      const { status, message } = await dryRun(cluster(), namespace, relay);
      const isFine = own.problems.length === 0 && own.conflicts.length === 0;
      expect(status, JSON.stringify(relay) + message).to.equal(isFine ? 201 : 422);
      if (own.conflicts.length === 0) continue;
      refused += 1;
      expect(
        own.conflicts.some((conflict) => message.includes(conflict.message)),
        message,
      ).to.equal(true);
    }
    expect(refused).to.be.within(200, 2_000); // otherwise the comparison would prove little
  });

  it('admits the largest relay: 64 endpoints of 32 remotes with the longest names, on one port', async () => {
    const largest = realmRelay(
      Array.from({ length: 64 }, (_, index) =>
        endpoint({
          name: `e${String(index)}`,
          address: `127.0.1.${String(index)}`,
          remotes: longRemotes,
          network: { udp: true },
        }),
      ),
    );
    expect(parseRealmRelay(largest).conflicts).to.deep.equal([]);
    const { code, stderr } = await cluster().kubectl(
      ['apply', '--server-side', '-f', '-'],
      JSON.stringify(inNamespace({ ...largest, metadata: { name: 'largest' } }, namespace)),
    );
    expect({ code, stderr }).to.deep.equal({ code: 0, stderr: '' });
  });

  it('admits 10,000 UDP ports on hostNetwork without a Service, whose objects the API server stores', async () => {
    const voip = realmRelay(
      [endpoint({ port: 20_000, endPort: 29_999, network: { tcp: false, udp: true } })],
      { service: { enabled: false }, workload: { hostNetwork: true }, networkPolicy: { enabled: true } },
    );
    const { code, stderr } = await cluster().kubectl(
      ['apply', '--server-side', '-f', '-'],
      JSON.stringify(inNamespace({ ...voip, metadata: { name: 'voip' } }, namespace)),
    );
    expect({ code, stderr }).to.deep.equal({ code: 0, stderr: '' });
    const objects = desiredObjects(parsed(inNamespace(voip, namespace)), {
      relayImage: 'example.com/relay@sha256:0',
      relayEngine: 'auto',
      operatorNamespace: 'operators',
      deniedDestinations: defaultDeniedDestinations,
    });
    for (const object of objects) {
      const text = JSON.stringify(object);
      expect(text.length, object.kind).to.be.below(10_000);
      const applied = await cluster().kubectl(['apply', '--server-side', '-n', namespace, '-f', '-'], text);
      expect(applied, object.kind).to.deep.include({ code: 0, stderr: '' });
    }
    expect(objects.map(({ kind }) => kind)).to.have.members(['ConfigMap', 'Deployment', 'NetworkPolicy']);
  });

  it('admits 64 endpoints of 32 names each on one port, and of 512 names reports one that is there twice', async () => {
    const sharing = (hosts: number, last: string): RealmRelay =>
      realmRelay(
        Array.from({ length: 64 }, (_, index) =>
          endpoint({
            name: `e${String(index)}`,
            sni: {
              hosts: Array.from({ length: hosts }, (__, host) =>
                index === 63 && host === hosts - 1
                  ? last
                  : `${String(host)}.${String(index)}.${'a'.repeat(60)}.example`,
              ),
            },
          }),
        ),
      );
    expect(await dryRun(cluster(), namespace, sharing(32, 'b.example'))).to.deep.equal({
      status: 201,
      message: '',
    });
    const twice = sharing(8, `0.0.${'a'.repeat(60)}.example`);
    const { message } = await dryRun(cluster(), namespace, twice);
    expect(message).to.contain(ownMessages(twice)[0]);
    expect(
      ownMessages(sharing(32, `0.0.${'a'.repeat(60)}.example`)),
      'the operator reports it',
    ).to.have.length(1);
  });

  it('rejects 64 endpoints whose ranges all conflict, within its cost budget', async () => {
    const all = realmRelay(
      Array.from({ length: 64 }, (_, index) =>
        endpoint({ name: `e${String(index)}`, port: 1000 + index, endPort: 1063 }),
      ),
    );
    const { message } = await dryRun(cluster(), namespace, all);
    expect(ownMessages(all)).to.have.length((64 * 63) / 2);
    expect(ownMessages(all).some((own) => message.includes(own))).to.equal(true);
  });

  it('allows a relay that conflicted before the policy was installed to be annotated, and deleted in the foreground', async () => {
    const before = await cluster().namespace();
    const manifest = JSON.stringify(inNamespace(realmRelay(conflicting), before));
    expect((await cluster().kubectl(['apply', '-f', '-'], manifest)).code).to.equal(0);
    await applyConflictPolicy(cluster(), before);
    const annotated = await cluster().kubectl([
      'annotate',
      'rr',
      'web',
      '-n',
      before,
      'example.com/note=kept',
    ]);
    expect(annotated).to.include({ code: 0, stderr: '' });
    const deleted = await cluster().kubectl([
      'delete',
      'rr',
      'web',
      '-n',
      before,
      '--cascade=foreground',
      '--timeout=30s',
    ]);
    expect(deleted).to.include({ code: 0, stderr: '' });
  });
});

const longRemotes = Array.from({ length: 32 }, (_, index) => ({
  address: `${`${'a'.repeat(62)}.`.repeat(4)}b`.slice(0, 250 - String(index).length) + `x${String(index)}`,
  port: 65_535,
  weight: 255,
}));

const anySendProxy = fc.record(
  { enabled: fc.boolean(), version: fc.constantFrom(1, 2), udp: fc.boolean() },
  { requiredKeys: [] },
);

const anySni: readonly NonNullable<EndpointSpec['sni']>[] = [
  {},
  { hosts: ['a.example'] },
  { hosts: ['*.a.example', 'b.example'] },
  { hosts: ['b.example', 'a.example'] },
];

/** Endpoints that share one port by the names of TLS clients, or almost. */
const sniRelay: fc.Arbitrary<RealmRelay> = fc
  .array(
    fc.record(
      {
        listen: fc.record(
          { address: fc.constantFrom('::', '0:0::0', '0.0.0.0'), port: fc.constant(443) },
          { requiredKeys: ['port'] },
        ),
        remotes: fc.constant<EndpointSpec['remotes']>([{ address: 'b', port: 80 }]),
        network: fc.record(
          { ipv6Only: fc.boolean(), acceptProxy: fc.record({ enabled: fc.boolean() }) },
          { requiredKeys: [] },
        ),
        sni: fc.constantFrom(...anySni, { hosts: ['c.example'] }, { hosts: ['d.example'] }),
      },
      { requiredKeys: ['listen', 'remotes'] },
    ),
    { minLength: 2, maxLength: 3 },
  )
  .map((endpoints) => realmRelay(endpoints.map((rest, index) => ({ name: `e${String(index)}`, ...rest }))));

/** Few addresses and ports, so that many conflict. */
const anyEndpoint: fc.Arbitrary<Omit<EndpointSpec, 'name'>> = fc.record(
  {
    listen: fc.record(
      {
        address: fc.constantFrom(
          '::',
          '0.0.0.0',
          '::1',
          '0:0:0:0:0:0:0:1',
          '127.0.0.1',
          '::ffff:127.0.0.1',
          '::ffff:0.0.0.0',
          '2001:DB8::1',
        ),
        port: fc.constantFrom(443, 444, 445),
        endPort: fc.constantFrom(445, 446, 600, 698),
      },
      { requiredKeys: ['port'] },
    ),
    remotes: fc.constant([{ address: 'b', port: 80 }]),
    network: fc.record(
      { ipv6Only: fc.boolean(), tcp: fc.boolean(), udp: fc.boolean(), sendProxy: anySendProxy },
      { requiredKeys: [] },
    ),
    listenTransport: fc.constantFrom<EndpointSpec['listenTransport'] & object>(
      { tls: { secretName: 'a' } },
      { webSocket: { host: 'a', path: '/' } },
    ),
    sni: fc.constantFrom(...anySni),
  },
  { requiredKeys: ['listen', 'remotes'] },
);

const anyRelay: fc.Arbitrary<RealmRelay> = fc
  .tuple(
    fc.array(anyEndpoint, { minLength: 1, maxLength: 4 }),
    fc.record(
      { ipv6Only: fc.boolean(), tcp: fc.constant(true), udp: fc.boolean(), sendProxy: anySendProxy },
      { requiredKeys: [] },
    ),
    fc.record(
      {
        ipFamilies: fc.constantFrom<('IPv4' | 'IPv6')[]>(['IPv4'], ['IPv6'], ['IPv4', 'IPv6']),
        ipFamilyPolicy: fc.constantFrom('SingleStack', 'PreferDualStack'),
      },
      { requiredKeys: [] },
    ),
  )
  .map(([endpoints, network, service]) =>
    realmRelay(
      endpoints.map((rest, index) => ({ name: `e${String(index)}`, ...rest })),
      { network, service },
    ),
  );

function ownMessages(relay: RealmRelay): string[] {
  return portConflicts(parseRealmRelay(relay).relay?.endpoints ?? []).map(({ message }) => message);
}

function inNamespace(relay: RealmRelay, namespace: string): RealmRelay {
  return { ...relay, metadata: { ...relay.metadata, namespace } };
}

/** Applies the policy for `namespace` alone, and waits until it is in effect. */
async function applyConflictPolicy(cluster: ControlPlane, namespace: string): Promise<void> {
  const probe = { ...realmRelay(conflicting), metadata: { name: 'probe' } };
  await applyPolicy(cluster, namespace, policyManifests('policy.yaml'), async () => {
    return (await dryRun(cluster, namespace, probe)).status === 422;
  });
}

import { expect } from 'chai';
import type { V1Deployment } from '@kubernetes/client-node';
import { realmDocument } from '../../src/desired/config-map.ts';
import { deployment } from '../../src/desired/deployment.ts';
import { gatewayStatus, type GatewayOutcome } from '../../src/gateway/gateway-status.ts';
import { judgedListeners } from '../../src/gateway/listeners.ts';
import type { CertificateRef, Listener, ReferenceGrant, Route } from '../../src/gateway/types.ts';
import { backend, decide, gateway, listener, lookupIn, route, worldOf, type World } from './world.ts';

/** A listener at which TLS ends, with these references to certificates. */
function terminate(name: string, hostname: string, ...certificateRefs: readonly CertificateRef[]): Listener {
  return listener(name, 443, 'TLS', { hostname, tls: { mode: 'Terminate', certificateRefs } });
}

/** Lets a Gateway of namespace `edge` refer to Secrets in namespace `vault`, all or the one called `name`. */
function grant(name?: string): ReferenceGrant {
  return {
    metadata: { name: 'g', namespace: 'vault' },
    spec: {
      from: [{ group: 'gateway.networking.k8s.io', kind: 'Gateway', namespace: 'edge' }],
      to: [{ group: '', kind: 'Secret', ...(name !== undefined && { name }) }],
    },
  };
}

const world: World = worldOf(backend('a', ['10.0.0.1']), backend('b', ['10.0.0.2']));
const own = { name: 'own' };

function tlsRoute(name: string, hostname: string, kind: Route['kind'] = 'TLSRoute'): Route {
  const plain = route([{ name, port: 80 }], { kind, name });
  return kind === 'TLSRoute' ? { ...plain, spec: { ...plain.spec, hostnames: [hostname] } } : plain;
}

describe('the certificate of a listener', () => {
  const cases: readonly (readonly [
    why: string,
    refs: readonly CertificateRef[],
    reason: string,
    message: string,
    grants?: readonly ReferenceGrant[],
  ])[] = [
    ['a Secret of the namespace', [own], 'ResolvedRefs', 'All references are resolved.'],
    ['its namespace named', [{ ...own, namespace: 'edge' }], 'ResolvedRefs', 'All references are resolved.'],
    ['none', [], 'InvalidCertificateRef', 'tls.certificateRefs is empty'],
    [
      'another kind',
      [{ kind: 'ConfigMap', name: 'c' }],
      'InvalidCertificateRef',
      'ConfigMap "c" is no certificate: use a Secret',
    ],
    [
      'another group',
      [{ group: 'cert-manager.io', kind: 'Certificate', name: 'c' }],
      'InvalidCertificateRef',
      'Certificate.cert-manager.io "c"',
    ],
    [
      'a name that leads out of its folder',
      [{ name: '../b' }],
      'InvalidCertificateRef',
      '"../b" is not the name',
    ],
    ['a name that ends an option', [{ name: 'a;ws' }], 'InvalidCertificateRef', '"a;ws" is not the name'],
    [
      'another namespace',
      [{ name: 'c', namespace: 'vault' }],
      'RefNotPermitted',
      'No ReferenceGrant in namespace "vault"',
    ],
    [
      'another namespace, and a grant for another Secret',
      [{ name: 'c', namespace: 'vault' }],
      'RefNotPermitted',
      'No ReferenceGrant',
      [grant('d')],
    ],
    [
      'another namespace, and a grant',
      [{ name: 'c', namespace: 'vault' }],
      'InvalidCertificateRef',
      'copy it to namespace "edge"',
      [grant()],
    ],
  ];
  for (const [why, refs, reason, message, grants = []] of cases)
    it(`gets ResolvedRefs ${reason}: ${why}`, () => {
      const [judged] = judgedListeners(gateway([terminate('a', 'a.example', ...refs)]), lookupIn({ grants }));
      expect(judged?.accepted.reason).to.equal('Accepted');
      expect(judged?.resolvedRefs).to.deep.include({
        reason,
        status: reason === 'ResolvedRefs' ? 'True' : 'False',
      });
      expect(judged?.resolvedRefs.message).to.contain(message);
      expect(judged?.kinds).to.deep.equal(['TCPRoute', 'TLSRoute']);
    });

  it('is the only one: several get UnsupportedValue', () => {
    const [judged] = judgedListeners(
      gateway([terminate('a', 'a.example', own, { name: 'two' })]),
      lookupIn({}),
    );
    expect(judged?.accepted).to.deep.include({ status: 'False', reason: 'UnsupportedValue' });
    expect(judged?.accepted.message).to.contain('tls.certificateRefs has 2 entries');
  });

  it('is reported beside kinds that cannot be attached, whose reason comes first', () => {
    const kinds = { allowedRoutes: { kinds: [{ kind: 'UDPRoute' }, { kind: 'TCPRoute' }] } };
    const [judged] = judgedListeners(gateway([{ ...terminate('a', 'a.example'), ...kinds }]), lookupIn({}));
    expect(judged?.kinds).to.deep.equal(['TCPRoute']);
    expect(judged?.resolvedRefs.reason).to.equal('InvalidRouteKinds');
    expect(judged?.resolvedRefs.message)
      .to.contain('UDPRoute cannot be attached to this listener: use TCPRoute or TLSRoute.')
      .and.to.contain('certificateRefs is empty');
  });

  it('comes with options that have no effect, as the message states', () => {
    const tls = { certificateRefs: [own], options: { 'example.com/min': '1.3' } };
    const [judged] = judgedListeners(gateway([listener('a', 443, 'TLS', { tls })]), lookupIn({}));
    expect(judged?.accepted.message).to.equal('The listener is valid; tls.options have no effect.');
  });
});

/** The endpoints of the relay: name, names of clients, transport, and remotes. */
function served(listeners: readonly Listener[], routes: readonly Route[]): string[] {
  const { relay } = decide(gateway(listeners), routes, world);
  if (relay === undefined) return ['no relay'];
  return realmDocument(relay).endpoints.map(({ name, sni, remote, backends = [], listen_transport: tls }) => {
    const isRefused = backends.some(({ refuse }) => refuse === true);
    return `${name ?? ''} [${sni?.hosts?.join() ?? 'others'}] ${isRefused ? 'refused' : remote} ${tls ?? 'as it comes'}`;
  });
}

describe('the relay of a Gateway at which TLS ends', () => {
  const words = (secret: string): string =>
    `tls;cert=/etc/realm-secrets/${secret}/tls.crt;key=/etc/realm-secrets/${secret}/tls.key;optional`;
  const passthrough = listener('pass', 443, 'TLS', { hostname: '*.example', tls: { mode: 'Passthrough' } });

  it('chooses the certificate by name, beside names that pass through on the same port', () => {
    const listeners = [
      terminate('a', 'a.example', own),
      terminate('b', 'b.example', { name: 'two' }),
      passthrough,
    ];
    const routes = [tlsRoute('a', 'a.example'), tlsRoute('b', 'b.example'), tlsRoute('b', 'c.example')];
    expect(served(listeners, routes)).to.deep.equal([
      `a/edge/a [a.example] 10.0.0.1:8080 ${words('own')}`,
      `b/edge/b [b.example] 10.0.0.2:8080 ${words('two')}`,
      'pass/edge/b [c.example] 10.0.0.2:8080 as it comes',
    ]);
  });

  it('serves TCPRoutes, too, with every name of the listener', () => {
    const listeners = [terminate('a', '*.example', own)];
    const routes = [tlsRoute('a', 'a.example'), tlsRoute('a', '', 'TCPRoute')];
    expect(served(listeners, routes)).to.deep.equal([
      `a/edge/a [a.example] 10.0.0.1:8080 ${words('own')}`,
      `a/edge/a/tcp [*.example] 10.0.0.1:8080 ${words('own')}`,
    ]);
  });

  it('has an endpoint for a certificate without a route, so that Pods report whether it is valid', () => {
    expect(served([terminate('a', 'a.example', own)], [])).to.deep.equal([
      `a [a.example] refused ${words('own')}`,
    ]);
  });

  it('refuses the names of a listener without a certificate, which lead to no wider one', () => {
    const routes = [tlsRoute('a', 'a.example'), tlsRoute('b', 'b.example')];
    expect(
      served([terminate('a', 'a.example', { name: 'c', namespace: 'vault' }), passthrough], routes),
    ).to.deep.equal([
      'a [a.example] refused as it comes',
      'pass/edge/b [b.example] 10.0.0.2:8080 as it comes',
    ]);
    expect(served([terminate('a', 'a.example')], routes)).to.deep.equal([]);
  });

  it('mounts each Secret once, and starts without it', () => {
    const listeners = [terminate('a', 'a.example', own), terminate('b', 'b.example', own)];
    const { relay } = decide(gateway(listeners), [tlsRoute('a', 'a.example')], world);
    const program = { relayImage: 'image', relayEngine: 'auto' } as const;
    const { spec } =
      relay === undefined ? ({} as V1Deployment) : (deployment(relay, program) as V1Deployment);
    const [, ...secrets] = spec?.template.spec?.volumes ?? [];
    const items = ['tls.crt', 'tls.key'].map((key) => ({ key, path: key }));
    expect(secrets.map(({ secret }) => secret)).to.deep.equal([
      { secretName: 'own', optional: true, defaultMode: 0o440, items },
    ]);
  });
});

describe('the status of a listener at which TLS ends', () => {
  const done = { isDone: true, reason: 'Programmed', message: 'done' };
  const start = { isDone: false, reason: 'Pending', message: '0 of 1 Pods are ready.' };
  const certificates = (isServed: boolean, ...names: readonly string[]) =>
    new Map(names.map((name) => [name, { message: 'Pod "p": x.', isServed }]));
  const cases: readonly {
    why: string;
    outcome: Partial<GatewayOutcome>;
    reported: readonly string[];
    gateway: string;
  }[] = [
    {
      why: 'Pods have not reported',
      outcome: { pods: start, certificates: undefined },
      reported: ['Unknown Pending, False Pending', 'Unknown Pending, False Pending'],
      gateway: 'False Pending',
    },
    {
      why: 'both are valid',
      outcome: {},
      reported: ['True ResolvedRefs, True Programmed', 'True ResolvedRefs, True Programmed'],
      gateway: 'True Programmed',
    },
    {
      why: 'one is missing',
      outcome: { certificates: certificates(false, 'a') },
      reported: ['False InvalidCertificateRef, False Invalid', 'True ResolvedRefs, True Programmed'],
      gateway: 'True Programmed',
    },
    {
      why: 'all are missing',
      outcome: { certificates: certificates(false, 'a', 'b') },
      reported: ['False InvalidCertificateRef, False Invalid', 'False InvalidCertificateRef, False Invalid'],
      gateway: 'False Invalid',
    },
    {
      why: 'a newer one is not valid',
      outcome: { certificates: certificates(true, 'b') },
      reported: ['True ResolvedRefs, True Programmed', 'False InvalidCertificateRef, True Programmed'],
      gateway: 'True Programmed',
    },
  ];
  for (const { why, outcome, reported, gateway: ofGateway } of cases)
    it(`reports ${ofGateway} of the Gateway: ${why}`, () => {
      const of = gateway([terminate('a', 'a.example', own), terminate('b', 'b.example', { name: 'two' })]);
      const known = { pods: done, address: done, addresses: [], faults: new Map(), certificates: new Map() };
      const { conditions, listeners } = gatewayStatus(of, decide(of, []), { ...known, ...outcome }, 'now');
      const seen = (type: string, all: typeof conditions): string => {
        const found = all.find((each) => each.type === type);
        return `${found?.status ?? ''} ${found?.reason ?? ''}`;
      };
      expect(
        listeners.map(
          (each) => `${seen('ResolvedRefs', each.conditions)}, ${seen('Programmed', each.conditions)}`,
        ),
      ).to.deep.equal(reported);
      expect(seen('Programmed', conditions)).to.equal(ofGateway);
    });

  it('names Secret, keys, Pod and reason', () => {
    const of = gateway([terminate('a', 'a.example', own)]);
    const known = { pods: done, address: done, addresses: [], faults: new Map() };
    const outcome = { ...known, certificates: certificates(true, 'a') };
    const [listener] = gatewayStatus(of, decide(of, []), outcome, 'now').listeners;
    expect(listener?.conditions.find(({ type }) => type === 'ResolvedRefs')?.message).to.equal(
      'Secret "own" gives no valid certificate and key, as tls.crt and tls.key: create or correct it. The certificate before that stays in use. Pod "p": x.',
    );
  });
});

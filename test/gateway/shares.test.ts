import { expect } from 'chai';
import { relayConfig } from '../../src/config/parsed-config.ts';
import { realmDocument } from '../../src/desired/config-map.ts';
import type { BackendRef, RouteKind } from '../../src/gateway/types.ts';
import { Loopback, received, split, statusOf, type TestRelay } from '../relay/loopback.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/free-port.ts';
import { backend, decide, gateway, listener, route, slice } from './world.ts';

const loopback = new Loopback();
afterEach(() => loopback.closeAll());

/** The relay of a Gateway whose one listener has a route to `refs`; the Service `works` leads to `remote`. */
async function served(kind: RouteKind, refs: readonly BackendRef[], remote: string): Promise<TestRelay> {
  const protocol = kind === 'TCPRoute' ? 'TCP' : 'UDP';
  const { host, port } = split(remote);
  const of = gateway([listener('all', await freePort(), protocol)]);
  const { relay } = decide(of, [route(refs, { kind })], {
    services: [backend('works', [], { protocol }).service, backend('empty', [], { protocol }).service],
    slices: [slice('works', [{ addresses: [host] }], { protocol, port })],
  });
  if (relay === undefined) throw new Error('no relay');
  return loopback.relay(relayConfig(realmDocument(relay), 'the ConfigMap').config);
}

describe('the relay of a Gateway, with a backend that cannot be used', () => {
  const unusable: { why: string; ref: BackendRef }[] = [
    { why: 'no such Service', ref: { name: 'missing', port: 80 } },
    { why: 'no endpoint', ref: { name: 'empty', port: 80 } },
    { why: 'no ReferenceGrant', ref: { name: 'works', namespace: 'other', port: 80 } },
    { why: 'no Service', ref: { name: 'works', kind: 'Bucket', port: 80 } },
  ];
  for (const { why, ref } of unusable)
    it(`refuses 80 % of 200 connections: ${why}`, async () => {
      const refs = [
        { name: 'works', port: 80, weight: 20 },
        { ...ref, weight: 80 },
      ];
      const { relay } = await served('TCPRoute', refs, await loopback.greeter('hello'));
      const { port } = split(statusOf(relay, 'all').listen);
      const outcomes = await Promise.all(
        Array.from({ length: 200 }, () =>
          received(loopback.dial(`127.0.0.1:${String(port)}`)).catch(() => 'refused'),
        ),
      );
      expect(outcomes.filter((each) => each === 'refused').length).to.be.within(155, 165);
      expect(outcomes.filter((each) => each === 'hello').length).to.be.within(35, 45);
    });

  it('drops the datagrams of 80 % of 200 UDP clients', async () => {
    const refs = [
      { name: 'works', port: 80, weight: 1 },
      { name: 'missing', port: 80, weight: 4 },
    ];
    const { relay } = await served('UDPRoute', refs, await loopback.udpEcho());
    const { port } = split(statusOf(relay, 'all').listen);
    const clients = await Promise.all(Array.from({ length: 200 }, () => loopback.udp()));
    const answered = new Set<object>();
    for (const client of clients) {
      client.on('message', () => answered.add(client));
      client.send('x', port, '127.0.0.1');
    }
    await eventually('all datagrams', () => {
      const { backendRefused } = statusOf(relay, 'all');
      return backendRefused.associations + answered.size === 200;
    });
    expect(answered.size).to.be.within(35, 45);
  });
});

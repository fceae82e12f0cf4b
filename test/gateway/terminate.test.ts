import { once } from 'node:events';
import { copyFileSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { relayConfig } from '../../src/config/parsed-config.ts';
import { realmDocument } from '../../src/desired/config-map.ts';
import { secretsFolder } from '../../src/desired/transports.ts';
import type { Listener, Route } from '../../src/gateway/types.ts';
import { relaySummary } from '../../src/relay/admin/summary.ts';
import { certificates, greetingOf, loopback, tlsClient, tlsRemote } from '../relay/data-plane/sni-support.ts';
import { split, type TestRelay } from '../relay/loopback.ts';
import { eventually } from '../support/eventually.ts';
import { freePort } from '../support/free-port.ts';
import { backend, decide, gateway, listener, route, slice } from './world.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'realm-gateway-'));
});
afterEach(async () => {
  await loopback.closeAll();
  rmSync(folder, { recursive: true });
});

/** Writes the Secret `secret` with the certificate for `name`, the key last. */
function write(secret: string, name: string): void {
  const { cert, key } = certificates().of(name);
  mkdirSync(join(folder, secret), { recursive: true });
  for (const [file, from] of Object.entries({ 'tls.crt': cert, 'tls.key': key })) {
    copyFileSync(from, join(folder, secret, 'new'));
    renameSync(join(folder, secret, 'new'), join(folder, secret, file));
  }
}

function terminate(name: string, port: number): Listener {
  const tls = { mode: 'Terminate', certificateRefs: [{ name: `secret-${name}` }] };
  return listener(name, port, 'TLS', { hostname: `${name}.example`, tls });
}

/** The relay of a Gateway whose listeners each lead the name `LISTENER.example` to a remote; Secrets are in `folder`. */
async function served(
  listeners: readonly Listener[],
  remotes: Readonly<Record<string, string>>,
): Promise<TestRelay> {
  const routes = Object.keys(remotes).map((name): Route => {
    const plain = route([{ name, port: 80 }], { kind: 'TLSRoute', name });
    return { ...plain, spec: { ...plain.spec, hostnames: [`${name}.example`] } };
  });
  const { relay } = decide(gateway(listeners), routes, {
    services: Object.keys(remotes).map((name) => backend(name, []).service),
    slices: Object.entries(remotes).map(([name, remote]) => {
      const { host, port } = split(remote);
      return slice(name, [{ addresses: [host] }], { port });
    }),
  });
  if (relay === undefined) throw new Error('no relay');
  const text = JSON.stringify(realmDocument(relay)).replaceAll(secretsFolder, folder);
  return loopback.relay(relayConfig(JSON.parse(text), 'the ConfigMap').config);
}

describe('the relay of a Gateway at which TLS ends, with clients', () => {
  it('leads each name on one port to its certificate, passes another through, and follows Secrets without a restart', async () => {
    const port = await freePort();
    const at = `127.0.0.1:${String(port)}`;
    const pass = listener('pass', port, 'TLS', { hostname: 'pass.example', tls: { mode: 'Passthrough' } });
    write('secret-a', 'a.example');
    const { relay } = await served([terminate('a', port), terminate('b', port), pass], {
      a: await loopback.greeter('plain a'),
      b: await loopback.greeter('plain b'),
      pass: await tlsRemote('pass.example'),
    });
    const shown = async (name: string): Promise<string> => {
      const client = tlsClient(at, name);
      const greeting = await greetingOf(client);
      return `${greeting}, ${client.getPeerX509Certificate()?.subject ?? 'no certificate'}`;
    };
    expect(relay.status().ready, 'without the Secret of b').to.equal(true);
    expect(await shown('a.example')).to.equal('plain a, CN=a.example');
    expect(await shown('pass.example')).to.equal('pass.example, CN=pass.example');
    const early = await greetingOf(tlsClient(at, 'b.example'));
    expect(early, 'b has no certificate yet').to.be.oneOf(['ECONNRESET', 'EPIPE']);
    const [missing] = relaySummary(relay.status()).certificates;
    expect(missing?.names).to.deep.equal(['b/edge/b']);
    expect(missing?.message).to.match(/secret-b\/tls\.crt: there is no such file/);

    const kept = tlsClient(at, 'pass.example');
    expect(await greetingOf(kept)).to.equal('pass.example');
    write('secret-b', 'b.example');
    write('secret-a', 'renewed.example');
    await eventually('b is served', async () => (await shown('b.example')) === 'plain b, CN=b.example');
    await eventually(
      'a has the new one',
      async () => (await shown('a.example')) === 'plain a, CN=renewed.example',
    );
    kept.write('still here');
    const [answer] = (await once(kept, 'data')) as [Buffer];
    expect(answer.toString()).to.equal('still here');
    expect(relaySummary(relay.status()).certificates).to.deep.equal([]);
  });

  it('resets clients that ask for a name without a route, once it is read', async () => {
    const port = await freePort();
    write('secret-a', 'a.example');
    const { relay } = await served([terminate('a', port)], {});
    expect(await greetingOf(tlsClient(`127.0.0.1:${String(port)}`, 'a.example'))).to.equal('ECONNRESET');
    expect(relay.status().ready).to.equal(true);
  });
});

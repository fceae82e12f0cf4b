import { expect } from 'chai';
import { parseRealmRelay } from '../../src/api/parse.ts';
import type { RealmRelaySpec } from '../../src/api/schema/realm-relay.ts';
import { endpoint, realmRelay } from '../support/realm-relays.ts';

type Spec = Omit<RealmRelaySpec, 'endpoints'>;

/** The problems of relay `web` in namespace `edge`, with an endpoint on TCP port 443 whose remote is `host`. */
function problems(host: string, remotePort = 443, spec: Spec = {}): readonly string[] {
  const https = endpoint({ remotes: [{ address: host, port: remotePort }] });
  return parseRealmRelay(realmRelay([https], spec)).problems.map(({ what }) => what);
}

describe('a RealmRelay that is its own remote', () => {
  const own = ['web', 'WEB.edge', 'web.edge.svc', 'web.edge.svc.cluster.local', 'web.edge.svc.corp.example.'];
  for (const host of [...own, '127.0.0.1', 'localhost', '::', '::ffff:127.0.0.1']) {
    it(`is rejected with the remote ${host}`, () => {
      expect(problems(host)).to.have.length(1);
      expect(problems(host)[0]).to.match(/^endpoint "https" .* is its own remote/);
    });
  }

  const others: readonly (readonly [why: string, host: string, port?: number, spec?: Spec])[] = [
    ['another Service', 'web2.edge.svc'],
    ['the same name in another namespace', 'web.prod'],
    ['a port that the Service does not have', 'web', 8443],
    ['no Service', 'web', 443, { service: { enabled: false } }],
    ['a public name', 'web.example.com'],
  ];
  for (const [why, ...relay] of others) {
    it(`is not suspected: ${why}`, () => {
      expect(problems(...relay)).to.deep.equal([]);
    });
  }

  it('is rejected at the endpoint with the remote, over several endpoints and the ports of a range', () => {
    const a = endpoint({ name: 'a', port: 8000, endPort: 8002, remotes: [{ address: 'web', port: 9000 }] });
    const b = endpoint({ name: 'b', port: 9001, remotes: [{ address: '127.0.0.1', port: 8001 }] });
    const [problem, ...more] = parseRealmRelay(realmRelay([endpoint(), a, b])).problems;
    expect(more).to.deep.equal([]);
    expect(problem?.path).to.deep.equal(['spec', 'endpoints', 1, 'remotes']);
    expect(problem?.what).to.equal(
      'endpoints "a", "b" relay TCP in a circle ("a" → web:9001 → "b" → 127.0.0.1:8001 → "a")',
    );
  });
});

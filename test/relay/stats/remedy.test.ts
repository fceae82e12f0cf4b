import { expect } from 'chai';
import { customResourceDefinition } from '../../../src/api/crd.ts';
import { inLanguage, reasonsWithRemedy, remedy } from '../../../src/relay/stats/remedy.ts';
import type { Side } from '../../../src/relay/stats/side.ts';

const sides: readonly Side[] = ['client', 'upstream', 'relay'];
const all = reasonsWithRemedy.flatMap((reason) => sides.map((side) => ({ side, reason })));
/** Names of settings of the system, which are the same whatever the relay runs for. */
const ofSystem = /net\.ipv4\.ip_unprivileged_port_start|fs\.file-max|ulimit -n/g;

/** Every name of a field in the schema of the CRD. */
function fieldNames(schema: unknown): string[] {
  if (typeof schema !== 'object' || schema === null) return [];
  return Object.entries(schema).flatMap(([key, value]: [string, unknown]) => [
    ...(key === 'properties' ? Object.keys(value as object) : []),
    ...fieldNames(value),
  ]);
}

describe('remedies', () => {
  it('name keys of the file in a relay that runs a file', () => {
    expect(remedy('relay', 'TooManyWait', 'Realm')).to.equal(
      'Raise max_connections or max_waiting, or add relays.',
    );
    expect(remedy('upstream', 'REALM_HANDSHAKE_FAILED', 'Realm')).to.match(
      /^The remote does not match remote_transport: .* sni, ca, cert and key are/,
    );
    expect(remedy('upstream', 'ENODATA', 'Realm')).to.match(/check its records, and mode in \[dns\]\.$/);
  });

  it('name fields of the RealmRelay in a relay that runs for one', () => {
    expect(remedy('relay', 'TooManyWait', 'RealmRelay')).to.equal(
      'Raise network.maxConnections or network.maxWaiting, or raise replicas.',
    );
    expect(remedy('client', 'REALM_PROXY_HEADER', 'RealmRelay')).to.contain(
      'network.acceptProxy.trustedSources, or turn network.acceptProxy.enabled off',
    );
    expect(remedy('upstream', 'ENODATA', 'RealmRelay')).to.match(/check its records\.$/);
    expect(inLanguage('tcp_idle_timeout', 'RealmRelay')).to.equal('network.tcpIdleTimeoutSeconds');
  });

  it('name no key of a file to the owner of a RealmRelay, and only fields that the schema has', () => {
    const fields = new Set(fieldNames(customResourceDefinition()));
    for (const { side, reason } of all) {
      const text = remedy(side, reason, 'RealmRelay').replaceAll(ofSystem, '');
      expect(text, reason).to.not.match(/[a-z]_[a-z]|[{}]/);
      const named = [...text.matchAll(/\b[a-z]+(?:\.[a-zA-Z]+)+|\b[a-z]+[A-Z]\w+/g)].flatMap(([path]) =>
        path.replace('limits.memory', 'limits').split('.'),
      );
      expect([...fields], `${reason}: ${text}`).to.include.members(named);
    }
  });

  it('leave nothing in braces, and depend on nothing else', () => {
    for (const { side, reason } of all) {
      expect(remedy(side, reason, 'Realm'), reason).to.not.match(/[{}]/);
      const isSame = remedy(side, reason, 'Realm') === remedy(side, reason, 'RealmRelay');
      const namesKeys = /[a-z]_[a-z]/.test(remedy(side, reason, 'Realm').replaceAll(ofSystem, ''));
      expect(namesKeys && isSame, reason).to.equal(false);
    }
  });
});

import { expect } from 'chai';
import { identityOf } from '../../src/relay/identity.ts';
import { endpoint, failure, listenOf, Loopback, config } from './loopback.ts';
import { freePort } from '../support/free-port.ts';

const loopback = new Loopback();
afterEach(() => loopback.closeAll());

describe('relay, identity', () => {
  const cases = [
    { env: {}, relay: '', pod: '', madeOf: 'Realm', why: 'a relay by hand' },
    { env: { POD_NAME: 'x' }, relay: '', pod: 'x', madeOf: 'Realm', why: 'a Pod of one’s own, with a file' },
    {
      env: { REALM_RELAY: 'edge/web', POD_NAME: 'web-0' },
      relay: 'edge/web',
      pod: 'web-0',
      madeOf: 'RealmRelay',
      why: 'a Pod of a RealmRelay',
    },
  ];
  for (const { env, why, ...identity } of cases) {
    it(`comes from the environment: ${why}`, () => {
      expect(identityOf(env)).to.deep.equal(identity);
    });
  }

  it('decides whose fields remedies name', async () => {
    const remote = `127.0.0.1:${String(await freePort())}`;
    const limited = config(endpoint(remote, { through: '127.0.0.1' }, { max_connections_per_client: 0 }));
    const { relay } = await loopback.relay(limited, {
      identity: identityOf({ REALM_RELAY: 'edge/web' }),
    });
    await failure(loopback.dial(listenOf(relay)));
    relay.reportRejected('unknown field');
    const remedies = relay.status().recentErrors.map(({ remedy }) => remedy);
    expect(remedies).to.have.lengthOf(2);
    expect(remedies.join(' ')).to.not.match(/[a-z]_[a-z]/);
  });
});

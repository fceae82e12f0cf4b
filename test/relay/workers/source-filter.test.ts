import { expect } from 'chai';
import { freePort } from '../../support/free-port.ts';
import { eventually } from '../../support/eventually.ts';
import { datagram, endpoint, failure, split } from '../loopback.ts';
import { loopback, makeFolder, servedByAll, start, web, write } from './relay-with-workers.ts';

beforeEach(makeFolder);
afterEach(() => loopback.closeAll());

const [friend, stranger] = ['127.0.0.1', '127.0.0.2'];
const onlyFriends = { allowed_sources: [friend] };

describe('relay, workers, allowed sources', () => {
  it('reset refused sources in every worker, counted and reported as by one relay', async () => {
    const relay = await start([endpoint(await loopback.echo(), {}, onlyFriends)]);
    await servedByAll(relay);
    const { listen } = await web(relay);
    let strangers = 0;
    const tellers = (): Set<unknown> =>
      new Set(relay.lines.filter(({ msg }) => msg.startsWith('client rejected')).map(({ worker }) => worker));
    await eventually('strangers at both', async () => {
      for (let i = 0; i < 10; i += 1) {
        expect(await failure(loopback.dial(listen, stranger))).to.equal('ECONNRESET');
        strangers += 1;
      }
      return tellers().size === 2;
    });
    expect((await web(relay)).notAllowed).to.deep.equal({ connections: strangers, associations: 0 });
    const errors = (await relay.status()).recentErrors;
    expect(errors.map(({ reason, count }) => [reason, count])).to.deep.equal([
      ['SourceNotAllowed', strangers],
    ]);
    const { body } = await relay.get('/metrics');
    expect(body).to.contain(
      `realm_relay_connections_refused_total{endpoint="web",reason="SourceNotAllowed"} ${String(strangers)}\n`,
    );
  });

  it('apply a changed list: connections go on, and an association ends', async () => {
    const listen = `127.0.0.1:${String(await freePort())}`;
    const tcp = endpoint(await loopback.echo());
    const udp = { name: 'udp', listen, remote: await loopback.udpEcho() };
    const onlyUdp = { no_tcp: true, use_udp: true };
    const relay = await start([tcp, { ...udp, network: onlyUdp }]);
    const open = loopback.dial((await web(relay)).listen, stranger);
    expect(await loopback.exchange(open, 'before')).to.equal('before');
    const client = await loopback.udp(stranger);
    const answer = datagram(client);
    const { host, port } = split(listen);
    client.send('before', port, host);
    await answer;
    write([
      { ...tcp, network: onlyFriends },
      { ...udp, network: { ...onlyUdp, ...onlyFriends } },
    ]);
    expect(await relay.logged('association closed')).to.include({ end: 'NotAllowed', endpoint: 'udp' });
    await relay.logged('configuration applied'); // by every worker
    expect(await failure(loopback.dial((await web(relay)).listen, stranger))).to.equal('ECONNRESET');
    expect(await loopback.exchange(open, 'after')).to.equal('after');
  });
});

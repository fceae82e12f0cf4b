import { expect } from 'chai';
import { freePort } from '../../support/free-port.ts';
import { datagram, endpoint, failure, split } from '../loopback.ts';
import { loopback, makeFolder, servedByAll, start, web, write } from './relay-with-workers.ts';

beforeEach(makeFolder);
afterEach(() => loopback.closeAll());

const [friend, stranger] = ['127.0.0.1', '127.0.0.2'];
const onlyFriends = { allowed_sources: [friend] };

describe('relay, workers, allowed sources', () => {
  it('reset refused sources, counted and reported as by one relay', async () => {
    const relay = await start([endpoint(await loopback.echo(), {}, onlyFriends)]);
    await servedByAll(relay);
    const { listen } = await web(relay);
    const strangers = 10;
    for (let i = 0; i < strangers; i += 1)
      expect(await failure(loopback.dial(listen, stranger))).to.equal('ECONNRESET');
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

  it('reset sources that a PROXY header names, whichever thread has read it', async () => {
    const network = { accept_proxy: true, allowed_sources: ['192.0.2.1'] };
    const relay = await start([endpoint(await loopback.echo(), {}, network)]);
    const { listen } = await web(relay);
    for (let i = 0; i < 4; i += 1) {
      const client = loopback.dial(listen);
      client.write('PROXY TCP4 192.0.2.9 192.0.2.2 1000 80\r\n');
      expect(await failure(client)).to.equal('ECONNRESET');
    }
    expect((await web(relay)).notAllowed.connections).to.equal(4);
    const [error] = (await relay.status()).recentErrors;
    expect(error).to.include({ reason: 'SourceNotAllowed', count: 4 });
    const line = await relay.logged('connection failed');
    expect(line).to.include({ side: 'client', client: '192.0.2.9:1000' });
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
    await relay.logged('configuration applied');
    expect(await failure(loopback.dial((await web(relay)).listen, stranger))).to.equal('ECONNRESET');
    expect(await loopback.exchange(open, 'after')).to.equal('after');
  });
});

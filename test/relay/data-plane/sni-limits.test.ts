import { once } from 'node:events';
import { expect } from 'chai';
import { eventually } from '../../support/eventually.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { failure, received, statusOf } from '../loopback.ts';
import { hello } from '../transport/hellos.ts';
import { describeSni, keeper, loopback, refusedOf, sharing } from './sni-support.ts';

describeSni(', limits', ({ port, at, start }) => {
  it('closes slow clients after tcp_timeout, and frees what they use', async () => {
    const clock = new FakeClock();
    const { relay } = await start(sharing(port(), { a: { remote: await loopback.greeter('a') } }), clock);
    const silent = await loopback.client(at());
    const slow = await loopback.client(at());
    slow.write(hello('a.example').subarray(0, 50));
    await eventually('it is read', () => relay.status().memory.usedBytes === 50);
    const faults = [failure(slow), failure(silent)];
    clock.advance(4900);
    slow.write(hello('a.example').subarray(50, 60));
    await eventually('it is read', () => relay.status().memory.usedBytes === 60);
    clock.advance(100);
    expect(await Promise.all(faults)).to.deep.equal(['ECONNRESET', 'ECONNRESET']);
    expect(refusedOf(relay, 'a')).to.deep.equal({ unknownName: 0, invalid: 0, late: 2 });
    expect(relay.status().memory.usedBytes).to.equal(0);
    const served = await loopback.client(at());
    served.write(hello('a.example'));
    expect(await received(served)).to.equal('a');
  });

  it('closes silent clients after 15 s if an endpoint has no tcp_timeout', async () => {
    const clock = new FakeClock();
    const remote = await loopback.greeter('a');
    const endpoints = { a: { remote, network: { tcp_timeout: 0 } }, b: { remote } };
    const { relay } = await start(sharing(port(), endpoints), clock);
    const silent = await loopback.client(at());
    const slow = await loopback.client(at());
    slow.write(hello('a.example').subarray(0, 50));
    await eventually('both are accepted', () => relay.status().memory.usedBytes === 50);
    const faults = [failure(slow), failure(silent)];
    clock.advance(14_999);
    expect(refusedOf(relay, 'a')?.late).to.equal(0);
    clock.advance(1);
    expect(await Promise.all(faults)).to.deep.equal(['ECONNRESET', 'ECONNRESET']);
    expect(refusedOf(relay, 'a')?.late).to.equal(2);
  });

  it('counts clients that say nothing as probes', async () => {
    const { relay } = await start(sharing(port(), { a: { remote: await loopback.greeter('a') } }));
    (await loopback.client(at())).end();
    (await loopback.client(at())).resetAndDestroy();
    await eventually('both are counted', () => statusOf(relay, 'a').probes === 2);
    expect(refusedOf(relay, 'a')).to.deep.equal({ unknownName: 0, invalid: 0, late: 0 });
    expect(relay.status().recentErrors).to.deep.equal([]);
  });

  it('applies max_connections once the name is known, to each endpoint', async () => {
    const [a, b] = [await keeper('a'), await keeper('b')];
    const { relay } = await start(
      sharing(port(), {
        a: { remote: a.address, network: { max_connections: 1 } },
        b: { remote: b.address },
      }),
    );
    const first = await loopback.client(at());
    first.write(hello('a.example'));
    await once(first, 'data');
    const second = await loopback.client(at());
    second.write(hello('a.example'));
    const gone = await loopback.client(at());
    gone.write(hello('a.example'));
    await eventually('two wait', () => statusOf(relay, 'a').waiting === 2);
    const other = await loopback.client(at());
    other.write(hello('b.example'));
    await once(other, 'data');
    gone.resetAndDestroy();
    first.resetAndDestroy();
    await once(second, 'data');
    await eventually('it begins with what it had sent', () =>
      a.got.some((parts, index) => index > 0 && Buffer.concat(parts).equals(hello('a.example'))),
    );
    second.resetAndDestroy();
    other.resetAndDestroy();
    await eventually(
      'nothing is kept',
      () => relay.status().memory.usedBytes === 0 && statusOf(relay, 'a').waiting === 0,
    );
  });

  it('limits the clients of one address that wait before their name is known', async () => {
    const remote = await loopback.greeter('hi');
    const limited = { max_connections_per_client: 2 };
    const { relay } = await start(sharing(port(), { a: { remote }, b: { remote } }, limited));
    const waiting = [await loopback.client(at()), await loopback.client(at())];
    expect(await failure(loopback.dial(at()))).to.equal('ECONNRESET');
    expect(statusOf(relay, 'a').tooManyOfClient.connections).to.equal(1);
    for (const client of waiting) {
      client.write(hello('b.example'));
      expect(await received(client)).to.equal('hi');
    }
    const next = await loopback.client(at(), '127.0.0.9');
    next.write(hello('a.example'));
    expect(await received(next)).to.equal('hi');
  });

  it('resets at once clients that no endpoint of the port allows', async () => {
    const remote = await loopback.greeter('hi');
    const { relay } = await start(
      sharing(port(), {
        a: { remote, network: { allowed_sources: ['127.0.0.2'] } },
        b: { remote, network: { allowed_sources: ['127.0.0.3'] } },
      }),
    );
    expect(await failure(loopback.dial(at()))).to.equal('ECONNRESET');
    expect(statusOf(relay, 'a').notAllowed.connections).to.equal(1);
    for (const [from, name, answer] of [
      ['127.0.0.2', 'a', 'hi'],
      ['127.0.0.3', 'b', 'hi'],
    ] as const) {
      const client = await loopback.client(at(), from);
      client.write(hello(`${name}.example`));
      expect(await received(client)).to.equal(answer);
    }
    const wrong = await loopback.client(at(), '127.0.0.2');
    wrong.write(hello('b.example'));
    expect(await failure(wrong)).to.equal('ECONNRESET');
    expect(statusOf(relay, 'b').notAllowed.connections).to.equal(1);
  });
});

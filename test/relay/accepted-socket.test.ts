import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { expect } from 'chai';
import { systemClock } from '../../src/lib/clock.ts';
import { canTakeOver } from '../../src/relay/accepted-socket.ts';
import { DescriptorBudget } from '../../src/relay/descriptor-budget.ts';
import { systemAddresses } from '../../src/relay/dial.ts';
import { Endpoint } from '../../src/relay/endpoint.ts';
import { RecentErrors } from '../../src/relay/recent-errors.ts';
import { addressText, config, endpoint, keptLog, Loopback, received } from './loopback.ts';

const loopback = new Loopback();
afterEach(() => loopback.closeAll());

/** Listens for `served`, on accepted sockets that look as in a Node without the fast path where `isBlind`. */
async function listenFor(
  served: Endpoint,
  isBlind: boolean,
): Promise<{ address: string; connections: () => Promise<number> }> {
  const server = createServer({ pauseOnConnect: true, allowHalfOpen: true }, (accepted) => {
    if (isBlind)
      Object.assign((accepted as unknown as { _handle: object })._handle, { useUserBuffer: undefined });
    served.serve(accepted, 0);
  }).listen(0, '127.0.0.1');
  loopback.onClose(() => {
    served.cut();
    server.close();
  });
  await once(server, 'listening');
  expect(canTakeOver(server)).to.be.true;
  const connections = (): Promise<number> =>
    new Promise((resolve) => {
      server.getConnections((_, count) => {
        resolve(count);
      });
    });
  return { address: addressText(server.address() as AddressInfo), connections };
}

describe('accepted socket', () => {
  for (const { isBlind, how } of [
    { isBlind: false, how: 'by taking it over' },
    { isBlind: true, how: 'by events, where this Node has no fast path' },
  ]) {
    it(`is read ${how}`, async () => {
      const [only] = config(endpoint(await loopback.echo())).endpoints;
      if (only === undefined) throw new Error('no endpoint');
      const served = new Endpoint(only, {
        log: keptLog().log,
        errors: new RecentErrors(systemClock),
        clock: systemClock,
        lookup: systemAddresses,
        random: () => 0,
        budget: new DescriptorBudget({ limit: Infinity, listening: () => 1 }),
      });
      const { address, connections } = await listenFor(served, isBlind);
      const client = await loopback.client(address);
      const sent = randomBytes(8 * 1024 * 1024);
      client.end(sent);
      const echoed = Buffer.concat(await received.bytes(client));
      expect(hash(echoed)).to.equal(hash(sent));
      await served.idle();
      expect(await connections()).to.equal(0);
      expect(served.connections).to.deep.include({
        fromClientBytes: sent.length,
        fromUpstreamBytes: sent.length,
      });
    });
  }
});

function hash(bytes: Buffer): string {
  return createHash('sha1').update(bytes).digest('hex');
}

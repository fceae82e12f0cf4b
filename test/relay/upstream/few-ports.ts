// Run in a network namespace with few ephemeral ports, of which three are for listening: prints how many of 16 clients two remotes serve at the same time.
import { config, endpoint, listenOf, Loopback } from '../loopback.ts';

const loopback = new Loopback();
const remotes = [await held(), await held()] as const;
const { relay } = await loopback.relay(
  config(
    endpoint(remotes[0], { extra_remotes: [remotes[1]], balance: 'roundrobin: 1, 1', through: '127.0.0.2' }),
  ),
);
const clients = Array.from({ length: 16 }, (_, index) => served(`127.0.1.${String(index + 1)}`));
const outcomes = await Promise.all(clients);
process.stdout.write(String(outcomes.filter((isServed) => isServed).length));
await loopback.closeAll();

/** A remote that greets, and keeps the connection open. */
function held(): Promise<string> {
  return loopback.tcpRemote((socket) => socket.write('hi'));
}

/** Whether a client is greeted; it has an address of its own, and so a port of its own. */
async function served(from: string): Promise<boolean> {
  const client = loopback.dial(listenOf(relay), from);
  const { promise, resolve } = Promise.withResolvers<boolean>();
  client.on('error', () => undefined);
  client.once('data', () => {
    resolve(true);
  });
  client.once('close', () => {
    resolve(false);
  });
  return promise;
}

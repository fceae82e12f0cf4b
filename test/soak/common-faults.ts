import type { DnsServer } from '../relay/dns/dns-server.ts';
import { eventually } from '../support/eventually.ts';
import type { Fault } from './faults.ts';
import type { Remote } from './remotes.ts';

/** What these faults act on. */
export type Surroundings = {
  readonly remotes: readonly Remote[];
  readonly dns: DnsServer;
  /** The name of the remotes. */
  readonly name: string;
};

/** Connections that a remote leaves unread before it reads again. */
const stalledConnections = 4;

/** Faults of remotes and of name servers, which are the same on loopback and on a node. */
export function commonFaults({ remotes, dns, name }: Surroundings): readonly Fault[] {
  const addresses = dns.zone[name];
  if (addresses === undefined) throw new Error(`no addresses of ${name}`);
  const named = (what: string, entry: typeof addresses): Fault => ({
    name: what,
    excuses: [],
    begin: () => {
      dns.zone[name] = entry;
      return Promise.resolve({
        end: () => {
          dns.zone[name] = addresses;
          return Promise.resolve();
        },
      });
    },
  });
  return [
    named('name servers are silent', 'silent'),
    named('name servers fail', 'SERVFAIL'),
    {
      name: 'the name of the remotes does not exist',
      excuses: ['reset'],
      begin: () => {
        Reflect.deleteProperty(dns.zone, name);
        return Promise.resolve({
          end: () => {
            dns.zone[name] = addresses;
            return Promise.resolve();
          },
        });
      },
    },
    leaving('one remote does not listen', remotes.slice(0, 1), []),
    leaving('no remote listens', remotes, ['reset']),
    {
      name: 'a remote resets its connections',
      excuses: ['reset', 'reset not passed on'],
      begin: async () => {
        await eventually('a connection to reset', () => remotes.some((remote) => remote.reset() > 0), {
          intervalMs: 1,
        });
        return { end: () => Promise.resolve() };
      },
    },
    stalling(remotes),
  ];
}

function leaving(name: string, remotes: readonly Remote[], excuses: Fault['excuses']): Fault {
  return {
    name,
    excuses,
    excusesRunning: ['reset'], // the kernel resets what waits to be accepted when a listener is closed
    begin: async () => {
      await Promise.all(remotes.map((remote) => remote.leave()));
      return {
        end: async () => {
          await Promise.all(remotes.map((remote) => remote.listen()));
        },
      };
    },
  };
}

function stalling(remotes: readonly Remote[]): Fault {
  const stall = (isStalled: boolean): void => {
    for (const remote of remotes) remote.stall(isStalled);
  };
  return {
    name: 'remotes do not read',
    excuses: [],
    begin: () => {
      stall(true);
      const open = (): boolean =>
        remotes.reduce((sum, { connections }) => sum + connections, 0) >= stalledConnections;
      return Promise.resolve({
        lasted: eventually('connections that are not read', open),
        end: () => {
          stall(false);
          return Promise.resolve();
        },
      });
    },
  };
}

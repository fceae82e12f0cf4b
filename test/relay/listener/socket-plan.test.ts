import { expect } from 'chai';
import {
  socketPlan,
  wantedSockets,
  type SocketSpec,
  type WantedSocket,
} from '../../../src/relay/listener/socket-plan.ts';
import type { RealmEndpoint } from '../../../src/config/realm-document.ts';
import { config } from '../loopback.ts';

/** The sockets of `[::]:80`, `only [::]:80` (ipv6_only), `udp [::]:80` (UDP without TCP) or `both [::]:80`. */
function sockets(...texts: string[]): WantedSocket[] {
  const endpoints = texts.map((text, index): RealmEndpoint => {
    const [listen = '', ...words] = text.split(' ').toReversed();
    return {
      name: `e${String(index)}`,
      listen,
      remote: '192.0.2.1:1',
      network: {
        no_tcp: words.includes('udp'),
        use_udp: words.includes('udp') || words.includes('both'),
        ipv6_only: words.includes('only'),
      },
    };
  });
  return wantedSockets(config(...endpoints).endpoints);
}

function keys(specs: readonly SocketSpec[]): string[] {
  return specs.map(({ key }) => key);
}

type Case = {
  readonly why: string;
  readonly running: readonly string[];
  readonly wanted: readonly string[];
  readonly keep?: readonly string[];
  readonly bind?: readonly string[];
  readonly rebind?: readonly string[];
  readonly contested?: readonly string[];
  readonly closeFirst?: readonly string[];
  readonly close?: readonly string[];
};

describe('socket plan', () => {
  const cases: readonly Case[] = [
    { why: 'no endpoints need no sockets', running: [], wanted: [] },
    { why: 'a first endpoint is bound', running: [], wanted: ['[::]:80'], bind: ['TCP [::]:80 0'] },
    {
      why: 'an endpoint with both protocols needs two sockets',
      running: [],
      wanted: ['both [::]:80'],
      bind: ['TCP [::]:80 0', 'UDP [::]:80 0'],
    },
    {
      why: 'a socket that is still wanted is kept',
      running: ['[::]:80'],
      wanted: ['[::]:80'],
      keep: ['TCP [::]:80 0'],
    },
    {
      why: 'another spelling of the address is the same socket',
      running: ['[0:0::1]:80'],
      wanted: ['[::1]:80'],
      keep: ['TCP [::1]:80 0'],
    },
    {
      why: 'ipv6_only does not affect an IPv4 socket',
      running: ['0.0.0.0:80'],
      wanted: ['only 0.0.0.0:80'],
      keep: ['TCP 0.0.0.0:80 0'],
    },
    {
      why: 'a socket that is no longer wanted is closed',
      running: ['[::]:80'],
      wanted: [],
      close: ['TCP [::]:80 0'],
    },
    {
      why: 'a new port is bound before the old one is closed',
      running: ['[::]:80'],
      wanted: ['[::]:81'],
      bind: ['TCP [::]:81 0'],
      close: ['TCP [::]:80 0'],
    },
    {
      why: 'TCP and UDP do not conflict',
      running: ['[::]:80'],
      wanted: ['udp [::]:80'],
      bind: ['UDP [::]:80 0'],
      close: ['TCP [::]:80 0'],
    },
    {
      why: 'ipv6_only is another socket, which conflicts with the old one',
      running: ['[::]:80', '[::]:81'],
      wanted: ['only [::]:80'],
      rebind: ['TCP [::]:80 ipv6Only 0'],
      closeFirst: ['TCP [::]:80 0'],
      close: ['TCP [::]:81 0'],
    },
    {
      why: 'a wildcard conflicts with a single address',
      running: ['[::]:80'],
      wanted: ['127.0.0.1:80', '[::1]:80'],
      rebind: ['TCP 127.0.0.1:80 0', 'TCP [::1]:80 0'],
      closeFirst: ['TCP [::]:80 0'],
    },
    {
      why: 'a pair of one family each replaces a dual-stack socket',
      running: ['[::]:80'],
      wanted: ['only [::]:80', '0.0.0.0:80'],
      rebind: ['TCP [::]:80 ipv6Only 0', 'TCP 0.0.0.0:80 0'],
      closeFirst: ['TCP [::]:80 0'],
    },
    {
      why: 'of two that conflict, the first in the configuration has priority',
      running: [],
      wanted: ['[::]:80', '0.0.0.0:80'],
      bind: ['TCP [::]:80 0'],
      contested: ['TCP 0.0.0.0:80 0'],
    },
    {
      why: 'a running socket has priority over an earlier one',
      running: ['0.0.0.0:80'],
      wanted: ['[::]:80', '0.0.0.0:80'],
      keep: ['TCP 0.0.0.0:80 0'],
      contested: ['TCP [::]:80 0'],
    },
    {
      why: 'a second endpoint with the same socket conflicts',
      running: [],
      wanted: ['[::]:80', '[::]:80'],
      bind: ['TCP [::]:80 0'],
      contested: ['TCP [::]:80 1'],
    },
    {
      why: 'port 0 never conflicts',
      running: ['127.0.0.1:0'],
      wanted: ['127.0.0.1:0', '127.0.0.1:0'],
      keep: ['TCP 127.0.0.1:0 0'],
      bind: ['TCP 127.0.0.1:0 1'],
    },
    {
      why: 'a host name is left to the kernel',
      running: ['[::]:80'],
      wanted: ['localhost:80'],
      bind: ['TCP localhost:80 0'],
      close: ['TCP [::]:80 0'],
    },
  ];
  for (const { why, running, wanted, ...expected } of cases) {
    it(why, () => {
      const plan = socketPlan(sockets(...running), sockets(...wanted));
      const none = { keep: [], bind: [], rebind: [], contested: [], closeFirst: [], close: [] };
      expect(
        Object.fromEntries(Object.entries(plan).map(([list, specs]) => [list, keys(specs)])),
      ).to.deep.equal({
        ...none,
        ...expected,
      });
    });
  }
});

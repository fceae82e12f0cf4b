import { expect } from 'chai';
import {
  socketPlan,
  socketKey,
  wantedSockets,
  type SocketSpec,
  type WantedSocket,
} from '../../../src/relay/listener/socket-plan.ts';
import type { RealmEndpoint } from '../../../src/config/realm-document.ts';
import { config } from '../loopback.ts';

/** `[::]:80`, `only [::]:80` (ipv6_only), `udp [::]:80` (UDP alone), `both [::]:80`. */
function sockets(...written: string[]): WantedSocket[] {
  const endpoints = written.map((text, index): RealmEndpoint => {
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
  return specs.map(socketKey);
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

describe('endpoint plan', () => {
  const cases: readonly Case[] = [
    { why: 'nothing becomes nothing', running: [], wanted: [] },
    { why: 'a first endpoint is bound', running: [], wanted: ['[::]:80'], bind: ['TCP [::]:80 0'] },
    {
      why: 'an endpoint with both protocols needs two sockets',
      running: [],
      wanted: ['both [::]:80'],
      bind: ['TCP [::]:80 0', 'UDP [::]:80 0'],
    },
    { why: 'what stays is kept', running: ['[::]:80'], wanted: ['[::]:80'], keep: ['TCP [::]:80 0'] },
    {
      why: 'another spelling is the same socket',
      running: ['[0:0::1]:80'],
      wanted: ['[::1]:80'],
      keep: ['TCP [::1]:80 0'],
    },
    {
      why: 'ipv6_only does not touch an IPv4 socket',
      running: ['0.0.0.0:80'],
      wanted: ['only 0.0.0.0:80'],
      keep: ['TCP 0.0.0.0:80 0'],
    },
    { why: 'what is not wanted goes', running: ['[::]:80'], wanted: [], close: ['TCP [::]:80 0'] },
    {
      why: 'a new port binds before the old one goes',
      running: ['[::]:80'],
      wanted: ['[::]:81'],
      bind: ['TCP [::]:81 0'],
      close: ['TCP [::]:80 0'],
    },
    {
      why: 'the other protocol is in nobody’s way',
      running: ['[::]:80'],
      wanted: ['udp [::]:80'],
      bind: ['UDP [::]:80 0'],
      close: ['TCP [::]:80 0'],
    },
    {
      why: 'ipv6_only is another socket, and the old one is in its way',
      running: ['[::]:80', '[::]:81'],
      wanted: ['only [::]:80'],
      rebind: ['TCP [::]:80 ipv6Only 0'],
      closeFirst: ['TCP [::]:80 0'],
      close: ['TCP [::]:81 0'],
    },
    {
      why: 'a wildcard is in the way of a single address',
      running: ['[::]:80'],
      wanted: ['127.0.0.1:80', '[::1]:80'],
      rebind: ['TCP 127.0.0.1:80 0', 'TCP [::1]:80 0'],
      closeFirst: ['TCP [::]:80 0'],
    },
    {
      why: 'the pair that needs ipv6_only takes the place of the one that had it all',
      running: ['[::]:80'],
      wanted: ['only [::]:80', '0.0.0.0:80'],
      rebind: ['TCP [::]:80 ipv6Only 0', 'TCP 0.0.0.0:80 0'],
      closeFirst: ['TCP [::]:80 0'],
    },
    {
      why: 'of two that conflict the one listed first wins',
      running: [],
      wanted: ['[::]:80', '0.0.0.0:80'],
      bind: ['TCP [::]:80 0'],
      contested: ['TCP 0.0.0.0:80 0'],
    },
    {
      why: 'but never over one that runs',
      running: ['0.0.0.0:80'],
      wanted: ['[::]:80', '0.0.0.0:80'],
      keep: ['TCP 0.0.0.0:80 0'],
      contested: ['TCP [::]:80 0'],
    },
    {
      why: 'the same socket twice is contested, too',
      running: [],
      wanted: ['[::]:80', '[::]:80'],
      bind: ['TCP [::]:80 0'],
      contested: ['TCP [::]:80 1'],
    },
    {
      why: 'any free port is never in the way',
      running: ['127.0.0.1:0'],
      wanted: ['127.0.0.1:0', '127.0.0.1:0'],
      keep: ['TCP 127.0.0.1:0 0'],
      bind: ['TCP 127.0.0.1:0 1'],
    },
    {
      why: 'a name is left to the kernel',
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

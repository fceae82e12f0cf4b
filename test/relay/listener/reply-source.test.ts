import { spawnSync } from 'node:child_process';
import { expect } from 'chai';
import type { HostAddress } from '../../../src/lib/own-addresses.ts';
import { withUncertainReplies } from '../../../src/relay/listener/reply-source.ts';
import { onOwnHost } from '../../support/own-host.ts';
import { engines, testEngine } from '../engines.ts';
import { config, endpoint, Loopback } from '../loopback.ts';
import { RelayProcess } from '../relay-process.ts';

const loopback = new Loopback();
afterEach(() => loopback.closeAll());

function addresses(...texts: string[]): readonly HostAddress[] {
  return texts.map((address) => ({
    address,
    family: address.includes(':') ? 'IPv6' : 'IPv4',
    internal: address === '127.0.0.1' || address === '::1',
  }));
}

const pod = addresses('127.0.0.1', '::1', '192.0.2.1', '2001:db8::1', 'fe80::1', '169.254.1.1');

describe('UDP endpoints whose replies may leave from another address', () => {
  const cases = [
    { listen: '0.0.0.0:53', host: pod, isUncertain: false, why: 'a Pod with one address per family' },
    { listen: '[::]:53', host: pod, isUncertain: false, why: 'the same, both families' },
    {
      listen: '0.0.0.0:53',
      host: [...pod, ...addresses('192.0.2.2')],
      isUncertain: true,
      why: 'two of IPv4',
    },
    {
      listen: '[::]:53',
      host: [...pod, ...addresses('192.0.2.2')],
      isUncertain: true,
      why: 'it has IPv4, too',
    },
    { listen: '[::]:53', host: [...pod, ...addresses('2001:db8::2')], isUncertain: true, why: 'two of IPv6' },
    {
      listen: '[::]:53',
      host: [...pod, ...addresses('192.0.2.2')],
      network: { ipv6_only: true },
      isUncertain: false,
      why: 'IPv6 only, and two of IPv4',
    },
    {
      listen: '0.0.0.0:53',
      host: [...pod, ...addresses('2001:db8::2')],
      isUncertain: false,
      why: 'IPv4 only, and two of IPv6',
    },
    {
      listen: '192.0.2.1:53',
      host: [...pod, ...addresses('192.0.2.2')],
      isUncertain: false,
      why: 'one address is listened on',
    },
    {
      listen: '0.0.0.0:53',
      host: [...pod, ...addresses('192.0.2.2')],
      network: { use_udp: false },
      isUncertain: false,
      why: 'TCP alone',
    },
    {
      listen: 'host.example:53',
      host: [...pod, ...addresses('192.0.2.2')],
      isUncertain: false,
      why: 'a name',
    },
  ];
  for (const { listen, host, network, isUncertain, why } of cases) {
    it(`${isUncertain ? 'are found' : 'are not found'}: ${listen}, ${why}`, () => {
      const { endpoints } = config(endpoint('a:1', { listen, network: { use_udp: true, ...network } }));
      expect(withUncertainReplies(endpoints, host).length === 1).to.equal(isUncertain);
    });
  }
});

const oneAddress =
  'ip link add v0 type veth peer name v1; ip link set v0 up; ip link set v1 up; ip addr add 192.0.2.1/24 dev v0';
const twoAddresses = `${oneAddress}; ip addr add 192.0.2.2/24 dev v0`;
const [unshare, ...args] = onOwnHost(twoAddresses);
const canUnshare = spawnSync(unshare, [...args, 'true']).status === 0;

describe('relay, a wildcard UDP endpoint on a host', () => {
  const warning =
    'this host has several addresses, and UDP answers may leave from another one than the client asked: use --engine kernel, or listen on each address by an endpoint of its own';
  const argv = ['-l', '0.0.0.0:5353', '-r', '192.0.2.9:53', '-u', '-t', '--admin', 'off'];
  const own = engines[0]?.name ?? 'node';
  for (const { commands, engine, isWarned, why } of [
    { commands: twoAddresses, engine: 'node', isWarned: true, why: 'of two addresses is warned of' },
    { commands: oneAddress, engine: 'node', isWarned: false, why: 'of one address is not' },
    {
      commands: twoAddresses,
      engine: own,
      isWarned: own === 'node',
      why: `of two addresses is ${own === 'node' ? 'warned of' : 'not'}`,
    },
  ]) {
    (canUnshare ? it : it.skip)(`${why}, with --check and at the start, engine ${engine}`, async () => {
      const flags = ['--engine', engine];
      const checked = new RelayProcess([...argv, '--check'], onOwnHost(commands), {}, flags);
      expect(await checked.ended).to.equal(0);
      const line = `warning: ${warning} (1 endpoint, first: 0.0.0.0:5353)\n`;
      expect(checked.stderr).to.equal(isWarned ? line : '');
      const relay = new RelayProcess(argv, onOwnHost(commands), {}, flags);
      loopback.onClose(() => relay.end());
      await relay.logged('relay started');
      const warned = relay.lines.find(({ msg }) => msg === warning);
      if (isWarned) expect(warned).to.deep.include({ endpoints: 1, first: '0.0.0.0:5353', level: 'warn' });
      else expect(warned).to.equal(undefined);
    });
  }
});

const room = new URL('../', import.meta.url).href;

/** Runs `body`, whose result is returned, on a host of its own, with the names of a loopback test in scope. */
function onHost(commands: string, body: string): unknown {
  const source = `
    import { createSocket } from 'node:dgram';
    import { once } from 'node:events';
    const { Loopback, config, endpoint, listenOf, split } = await import('${room}loopback.ts');
    const loopback = new Loopback();
    /** From where the answers to one socket come, when it asks each of these addresses. */
    const askedFrom = async (client, addresses, port) => {
      const found = [];
      for (const address of addresses) {
        client.send('x', port, address);
        const [, { address: from }] = await once(client, 'message');
        found.push(from);
      }
      return found;
    };
    const wildcard = async (listen) => {
      const udp = endpoint(await loopback.udpEcho(), { listen }, { no_tcp: true, use_udp: true });
      const { relay } = await loopback.relay(config(udp));
      return { relay, port: split(listenOf(relay)).port };
    };
    const result = await (async () => { ${body} })();
    await loopback.closeAll();
    console.log(JSON.stringify(result));
    process.exit(0);`;
  const [command, ...before] = onOwnHost(commands);
  const args = [...before, process.execPath, '--input-type=module', '-e', source];
  const { stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', timeout: 60_000 });
  if (stdout === '') throw new Error(stderr);
  return JSON.parse(stdout);
}

if (testEngine.name === 'kernel') {
  describe('relay, UDP answers', () => {
    const host = `${twoAddresses}; ip link set lo up; ip addr add 2001:db8::1/64 dev v0 nodad; ip addr add 2001:db8::2/64 dev v0 nodad`;
    for (const { listen, client, asked } of [
      { listen: '0.0.0.0:0', client: '192.0.2.1', asked: ['192.0.2.2', '192.0.2.1', '127.0.0.1'] },
      { listen: '[::]:0', client: '192.0.2.1', asked: ['192.0.2.2', '192.0.2.1', '127.0.0.1'] },
      { listen: '[::]:0', client: '2001:db8::1', asked: ['2001:db8::2', '2001:db8::1'] },
    ]) {
      (canUnshare ? it : it.skip)(
        `leave from the address that was asked: ${listen}, client ${client}`,
        () => {
          const found = onHost(
            host,
            `const { port } = await wildcard('${listen}');
           const client = await loopback.udp('${client}');
           return askedFrom(client, ${JSON.stringify(asked)}, port);`,
          );
          expect(found).to.deep.equal(asked);
        },
      );
    }

    (canUnshare ? it : it.skip)(
      'serve both families of one socket without ipv6_only, where net.ipv6.bindv6only is 1',
      () => {
        const found = onHost(
          'sysctl -qw net.ipv6.bindv6only=1; ip link set lo up',
          `const { relay, port } = await wildcard('[::]:0');
           const four = await askedFrom(await loopback.udp(), ['127.0.0.1'], port);
           const six = await askedFrom(await loopback.udp('::1'), ['::1'], port);
           return [relay.status().endpoints[0].families, four, six];`,
        );
        expect(found).to.deep.equal([['IPv4', 'IPv6'], ['127.0.0.1'], ['::1']]);
      },
    );
  });
}

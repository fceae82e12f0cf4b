import { spawnSync } from 'node:child_process';
import { expect } from 'chai';
import type { HostAddress } from '../../../src/lib/own-addresses.ts';
import { withUncertainReplies } from '../../../src/relay/listener/reply-source.ts';
import { onOwnHost } from '../../support/own-host.ts';
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
    'this host has several addresses, and UDP answers may leave from another one than the client asked: listen on each address by an endpoint of its own';
  const argv = ['-l', '0.0.0.0:5353', '-r', '192.0.2.9:53', '-u', '-t', '--admin', 'off'];
  for (const { commands, isWarned, why } of [
    { commands: twoAddresses, isWarned: true, why: 'of two addresses is warned of' },
    { commands: oneAddress, isWarned: false, why: 'of one address is not' },
  ]) {
    (canUnshare ? it : it.skip)(`${why}, with --check and at the start`, async () => {
      const checked = new RelayProcess([...argv, '--check'], onOwnHost(commands));
      expect(await checked.ended).to.equal(0);
      const line = `warning: ${warning} (1 endpoints, first: 0.0.0.0:5353)\n`;
      expect(checked.stderr).to.equal(isWarned ? line : '');
      const relay = new RelayProcess(argv, onOwnHost(commands));
      loopback.onClose(() => relay.end());
      await relay.logged('relay started');
      const warned = relay.lines.find(({ msg }) => msg === warning);
      if (isWarned) expect(warned).to.deep.include({ endpoints: 1, first: '0.0.0.0:5353', level: 'warn' });
      else expect(warned).to.equal(undefined);
    });
  }
});

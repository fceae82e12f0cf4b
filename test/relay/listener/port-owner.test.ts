import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { parseSocketAddress, isFault, type SocketAddress } from '../../../src/config/address.ts';
import { procAddress } from '../../../src/relay/net/proc-net.ts';
import { portOwner } from '../../../src/relay/listener/port-owner.ts';
import { freePort } from '../../support/free-port.ts';
import { config, endpoint, Loopback, statusOf } from '../loopback.ts';
import { RelayProcess } from '../relay-process.ts';

const loopback = new Loopback();
afterEach(() => loopback.closeAll());

const programs = {
  TCP: `require('net').createServer().listen(process.argv[2], process.argv[1], () => console.log('listens'))`,
  UDP: `const s = require('dgram').createSocket(process.argv[1].includes(':') ? 'udp6' : 'udp4');
s.bind(process.argv[2], process.argv[1], () => console.log('listens'))`,
};

type OtherProcess = { readonly pid: number; readonly name: string; readonly port: number };

/** Starts a process that listens on any free port of `address`. */
async function otherProcess(protocol: 'TCP' | 'UDP', address: string): Promise<OtherProcess> {
  const port = await freePort();
  const child = spawn(process.execPath, ['-e', programs[protocol], address, String(port)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const closed = once(child, 'close');
  loopback.onClose(async () => {
    child.kill('SIGKILL');
    await closed;
  });
  await once(child.stdout, 'data');
  const pid = child.pid ?? 0;
  const name = readFileSync(`/proc/${String(pid)}/comm`, 'utf8').trim();
  return { pid, name, port };
}

function address(host: string, port: number): SocketAddress {
  const parsed = parseSocketAddress(`${host}:${String(port)}`);
  if (isFault(parsed)) throw new Error(parsed.what);
  return parsed;
}

describe('socket addresses in /proc/net', () => {
  const cases = [
    { host: '127.0.0.1', port: 443, text: '0100007F:01BB' },
    { host: '0.0.0.0', port: 0, text: '00000000:0000' },
    { host: '::1', port: 80, text: '00000000000000000000000001000000:0050' },
    { host: '::ffff:127.0.0.1', port: 80, text: '0000000000000000FFFF00000100007F:0050' },
    { host: '2001:db8::1:2', port: 65535, text: 'B80D0120000000000000000002000100:FFFF' },
  ];
  for (const { host, port, text } of cases) {
    it(`write ${host} port ${String(port)} as ${text}`, () => {
      expect(procAddress(host, port)).to.equal(text);
    });
  }
});

describe('relay, a port that another process owns', () => {
  const cases = [
    { protocol: 'TCP', has: '127.0.0.1', wants: '127.0.0.1' },
    { protocol: 'TCP', has: '0.0.0.0', wants: '127.0.0.1' },
    { protocol: 'TCP', has: '::1', wants: '[::]' },
    { protocol: 'UDP', has: '127.0.0.1', wants: '0.0.0.0' },
    { protocol: 'UDP', has: '::1', wants: '[::1]' },
  ] as const;
  for (const { protocol, has, wants } of cases) {
    it(`names the process with ${protocol} ${has} if ${wants} is wanted`, async () => {
      const { pid, name, port } = await otherProcess(protocol, has);
      const network = { no_tcp: protocol === 'UDP', use_udp: protocol === 'UDP' };
      const listen = `${wants}:${String(port)}`;
      const { relay, lines } = await loopback.relay(config(endpoint('127.0.0.1:1', { listen }, network)));
      const message = `${protocol} ${listen}: address in use: process ${String(pid)} (${name}) listens there: stop it, or choose another port`;
      expect(statusOf(relay)).to.deep.include({ ready: false, message });
      const line = lines.find(({ msg }) => msg === 'bind failed, retrying');
      expect(line).to.deep.include({ level: 'error', reason: 'AddressInUse', problem: message });
    });
  }

  it('finds no owner for another address or protocol, or without procfs', async () => {
    const { port, pid } = await otherProcess('TCP', '127.0.0.1');
    expect(await portOwner('TCP', address('127.0.0.1', port))).to.deep.include({ pid });
    expect(await portOwner('TCP', address('127.0.0.2', port))).to.equal(undefined);
    expect(await portOwner('UDP', address('127.0.0.1', port))).to.equal(undefined);
    expect(await portOwner('TCP', address('127.0.0.1', port), '/nowhere')).to.equal(undefined);
  });

  const isRoot = process.getuid?.() === 0 && spawnSync('setpriv', ['--version']).status === 0;
  (isRoot ? it : it.skip)('does not name a process of another user', async () => {
    const { port } = await otherProcess('TCP', '127.0.0.1');
    const relay = new RelayProcess(
      ['-l', `127.0.0.1:${String(port)}`, '-r', 'a:1', '--admin', 'off'],
      ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups', '--bounding-set', '-all'],
    );
    loopback.onClose(() => relay.end());
    expect(await relay.ended).to.equal(1);
    const { problem } = await relay.logged('bind failed, retrying');
    expect(problem).to.match(/address in use: another process listens there: stop it/);
  });
});

describe('relay, a port below 1024 without the privilege to bind it', () => {
  const canUnshare = spawnSync('unshare', ['--user', '--net', 'true']).status === 0;
  (canUnshare ? it : it.skip)('reports NotPermitted and the remedy', async () => {
    const relay = new RelayProcess(
      ['-l', '0.0.0.0:443', '-r', 'a:1', '--admin', 'off'],
      ['unshare', '--user', '--net'],
    );
    loopback.onClose(() => relay.end());
    expect(await relay.ended).to.equal(1);
    const line = await relay.logged('bind failed, retrying');
    expect(line).to.deep.include({
      reason: 'NotPermitted',
      problem:
        'TCP 0.0.0.0:443: not permitted: choose a port from 1024, or lower net.ipv4.ip_unprivileged_port_start',
    });
  });
});

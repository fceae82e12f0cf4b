import { createSocket } from 'node:dgram';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { hostText, type IpAddress } from '../../lib/ip-address.ts';
import type { Relay } from '../../api/relay.ts';
import { errorCode } from '../../lib/errors.ts';
import { portOwner } from '../../relay/listener/port-owner.ts';
import { ok, problem, type Check } from './check.ts';

/** Of a range, more ports are not tried. */
const maxPorts = 256;

/** A socket that a relay would open. */
type Wanted = {
  readonly protocol: 'TCP' | 'UDP';
  readonly ip: IpAddress;
  readonly port: number;
  readonly ipv6Only: boolean;
};

/** Whether the ports of `relay` can be bound on this machine, and who holds those that cannot. */
export async function portChecks({ endpoints }: Relay): Promise<Check[]> {
  const checks: Check[] = [];
  for (const { listen, network } of endpoints) {
    const last = Math.min(listen.endPort ?? listen.port, listen.port + maxPorts - 1);
    const protocols = [
      ...(network.tcp ? (['TCP'] as const) : []),
      ...(network.udp ? (['UDP'] as const) : []),
    ];
    for (const protocol of protocols) {
      const found: Check[] = [];
      for (let port = listen.port; port <= last; port += 1)
        found.push(await portCheck({ protocol, ip: listen.address, port, ipv6Only: network.ipv6Only }));
      const bad = found.filter(({ severity }) => severity !== 'ok');
      const range = `${protocol} ${hostText(listen.address)}:${String(listen.port)}${last > listen.port ? `-${String(last)}` : ''}`;
      checks.push(...(bad.length > 0 ? bad : [ok(range, 'can be bound')]));
    }
  }
  return checks;
}

/** Whether a port can be bound. */
export async function portCheck(wanted: Wanted): Promise<Check> {
  const { protocol, ip, port } = wanted;
  const subject = `${protocol} ${hostText(ip)}:${String(port)}`;
  const code = await (protocol === 'TCP' ? tcpError(wanted) : udpError(wanted));
  if (code === undefined) return ok(subject, 'can be bound');
  if (code === 'EADDRINUSE') {
    const owner = await portOwner(protocol, { host: ip.text, port, ip });
    const holder =
      owner === undefined ? 'a process that cannot be seen' : `${owner.name} (process ${String(owner.pid)})`;
    return problem(subject, `is in use by ${holder}`, 'end it, or choose another port');
  }
  const [what, remedy] = await reason(code, port);
  return problem(subject, what, remedy);
}

async function reason(code: string, port: number): Promise<readonly [string, string]> {
  if (code === 'EACCES') {
    const name = 'net.ipv4.ip_unprivileged_port_start';
    const first = await readFile(`/proc/sys/${name.replaceAll('.', '/')}`, 'utf8').catch(() => '1024');
    const remedy = `run sysctl -w ${name}=${String(port)}, or give the process CAP_NET_BIND_SERVICE`;
    return [`is privileged: unprivileged ports begin at ${first.trim()}`, remedy];
  }
  if (code === 'EADDRNOTAVAIL') return ['is no address of this machine', 'use one of ip address, or "::"'];
  return [`cannot be bound (${code})`, 'use an address of a family that this machine has'];
}

function tcpError({ ip, port, ipv6Only }: Wanted): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  const server = createServer();
  server.on('error', (error) => {
    resolve(errorCode(error));
  });
  server.listen({ host: ip.text, port, ipv6Only }, () => {
    server.close(() => {
      resolve(undefined);
    });
  });
  return promise;
}

function udpError({ ip, port, ipv6Only }: Wanted): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  const socket = createSocket({ type: ip.family === 'IPv6' ? 'udp6' : 'udp4', ipv6Only });
  socket.on('error', (error) => {
    resolve(errorCode(error));
    socket.close();
  });
  socket.bind({ address: ip.text, port, exclusive: true }, () => {
    socket.close(() => {
      resolve(undefined);
    });
  });
  return promise;
}

import { isWithoutZone, parseIpAddress } from '../lib/ip-address.ts';
import type { Path, Problem } from '../lib/problem.ts';
import type { Relay } from './relay.ts';

/** Link-local addresses in `relay`: the kernel binds and dials them with a zone only, which a RealmRelay does not have. */
export function linkLocalWarnings({ endpoints }: Relay): Problem[] {
  return endpoints.flatMap(({ listen, remotes }, index) => {
    const path: Path = ['spec', 'endpoints', index];
    return [
      ...warnings(listen.address.text, [...path, 'listen', 'address'], 'listened on'),
      ...remotes.flatMap(({ address }, remote) =>
        warnings(address, [...path, 'remotes', remote, 'address'], 'relayed to'),
      ),
    ];
  });
}

function warnings(address: string, path: Path, use: string): Problem[] {
  const ip = parseIpAddress(address);
  if (ip === undefined || !isWithoutZone(ip)) return [];
  const what = `is a link-local address, which cannot be ${use} without a zone`;
  return [{ path, what, value: address, remedy: 'use an address that is not link-local' }];
}

import { dialledAddress, isLoopback, parseIpAddress } from '../lib/ip-address.ts';
import { isLocalhost } from '../lib/localhost.ts';
import type { Problem } from '../lib/problem.ts';
import type { Relay } from './relay.ts';

/** Remotes of `relay` that are its own Pod, in which nothing but the relay listens. */
export function loopbackWarnings({ workload, endpoints }: Relay): Problem[] {
  if (workload.hostNetwork) return [];
  return endpoints.flatMap(({ remotes }, endpoint) =>
    remotes.flatMap(({ address }, remote) =>
      isOwnPod(address)
        ? [
            {
              path: ['spec', 'endpoints', endpoint, 'remotes', remote, 'address'],
              what: 'is the Pod of the relay itself, not its node',
              value: address,
              remedy:
                'use the name of a Service or an address of the backend, or set workload.hostNetwork to true',
            },
          ]
        : [],
    ),
  );
}

function isOwnPod(address: string): boolean {
  const mapped = parseIpAddress(address)?.mapped ?? address;
  return isLoopback(dialledAddress(mapped)) || isLocalhost(address.toLowerCase());
}

import { boundFamilies } from '../../api/port-conflicts.ts';
import type { EndpointConfig } from '../../config/relay-config.ts';
import { isWithin } from '../../lib/address-ranges.ts';
import { isUnspecified, type IpFamily } from '../../lib/ip-address.ts';
import type { HostAddress } from '../../lib/own-addresses.ts';

/**
 * Selects the endpoints whose UDP answers may leave from another address than the client asked, and which it then drops:
 * those on a wildcard address if the host has several addresses of a family of theirs, with the engine node, which cannot
 * choose the source address of an answer. Loopback and link-local addresses do not count: the kernel answers
 * from these if a client asked them.
 */
export function withUncertainReplies(
  endpoints: readonly EndpointConfig[],
  addresses: readonly HostAddress[],
): readonly EndpointConfig[] {
  const several = (family: IpFamily): boolean => {
    const own = addresses.filter((each) => each.family === family && !each.internal);
    return own.filter(({ address }) => !isWithin(linkLocal, address)).length > 1;
  };
  return endpoints.filter(({ listen, network: { udp, ipv6Only } }) => {
    if (!udp || listen.ip === undefined) return false;
    return isUnspecified(listen.ip) && boundFamilies({ address: listen.ip, ipv6Only }).some(several);
  });
}

/** RFC 3927, section 2.1, and RFC 4291, section 2.5.6. */
const linkLocal = ['169.254.0.0/16', 'fe80::/10'];

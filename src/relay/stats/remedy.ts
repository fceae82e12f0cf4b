import type { Side } from './side.ts';

/** By code: what to do about a failure of a remote or of the relay, with the keys of the configuration. */
const remedies: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'Nothing listens at the remote: start it, or correct its address or port.',
  ETIMEDOUT: 'The remote does not answer: see whether it runs and no firewall drops its packets.',
  REALM_DIAL_TIMEOUT:
    'The remote or a name server does not answer in time: see whether a firewall drops packets, or raise tcp_timeout.',
  ENOTFOUND: "The name has no address: correct the remote's name, or see what the name servers say.",
  ENODATA: 'The name has no address of the families that are asked for: see mode in [dns].',
  EAI_AGAIN: 'The name servers do not answer: see whether this machine reaches them.',
  EHOSTUNREACH: 'There is no way to the remote: see its address, and the routes of this machine.',
  ENETUNREACH: 'This machine has no route to addresses of that family: use one that it has.',
  EADDRNOTAVAIL:
    'No free source port, or through is no address of this machine: correct through, or add source addresses.',
  REALM_THROUGH_FAMILY: 'Set through to an address of the family of the remote, or leave it out.',
  EMFILE: 'Raise the limit of open files, by ulimit -n or -n.',
  ENFILE: 'Raise the limit of open files of this machine, fs.file-max.',
  REALM_CONNECTION_IDLE:
    'Raise tcp_idle_timeout, or tcp_half_close_timeout where one side had ended, or let the client or the remote send keepalives.',
  REALM_PROXY_HEADER:
    'Let clients send a PROXY header, and name them in accept_proxy_trusted; or turn accept_proxy off.',
  SourceNotAllowed:
    'Name in allowed_sources who is to be served, the log says who came; others are rightly turned away.',
  HealthCheckFailed: 'See whether the remote runs and accepts connections; until then it is tried last.',
  TooManyWait: 'Raise max_connections or max_waiting, or add relays.',
  ConnectionLimit: 'Raise max_connections, or add relays.',
  DescriptorsShort: 'Raise the limit of open files, by ulimit -n or -n, or add relays.',
  AddressInUse: 'Free the address, or choose another; the bind is tried again by itself.',
  AddressNotAvailable: 'Choose an address that this machine has; the bind is tried again by itself.',
  NotPermitted: 'Choose a port from 1024, or lower net.ipv4.ip_unprivileged_port_start.',
  NameNotFound: 'Correct the name in listen, or write an address.',
  ConfigRejected: 'Correct the configuration; until then the one before runs on.',
};

const resets: Readonly<Record<Side, string>> = {
  client: 'The client broke off; if that happens often, look at the client.',
  upstream: "The remote broke off: look at the remote's own log.",
  relay: '',
};

const handshakes: Readonly<Record<Side, string>> = {
  client:
    'The client and listen_transport do not fit: see that both speak TLS or WebSocket, with the same host and path, and trust the certificate of the other.',
  upstream:
    'The remote and remote_transport do not fit: see that both speak TLS or WebSocket, with the same host and path, and that sni, ca, cert and key are as the remote wants them.',
  relay: '',
};

/** By code, those that depend on the side. */
const sided: Readonly<Record<string, Readonly<Record<Side, string>>>> = {
  ECONNRESET: resets,
  EPIPE: resets,
  REALM_HANDSHAKE_FAILED: handshakes,
};

/** What to do about a failure; '' where only its message can say. */
export function remedy(side: Side, reason: string): string {
  if (Object.hasOwn(sided, reason)) return sided[reason]?.[side] ?? '';
  return Object.hasOwn(remedies, reason) ? (remedies[reason] ?? '') : '';
}

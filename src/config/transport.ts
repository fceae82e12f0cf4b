import { text, type Rule } from '../lib/document-rules.ts';
import { nearest, type Problem } from '../lib/problem.ts';
import { ownValue } from '../lib/record.ts';

/** The host and path of a WebSocket request, compared byte by byte. */
export type WebSocketTarget = {
  /** With the port, if the client sends one. */
  readonly host: string;
  readonly path: string;
  readonly pings: PingConfig;
};

/** When pings are sent over a WebSocket, and how long the peer may take to answer. */
export type PingConfig = {
  /** Time without a frame of the peer after which it is sent a ping; 0 = no pings. */
  readonly intervalMs: number;
  /** 0 = no limit; absent = not set, so that a peer that answers no pings at all is kept. */
  readonly timeoutMs?: number;
};

/** Default of `pinginterval` on the remote side: proxies cut a WebSocket that is idle for 60 to 100 s. */
export const remotePingSeconds = 30;
const maxPingSeconds = 86_400;

/** The certificate of the listening side: files, or a name for which one is generated at start. */
export type ServerCertificate =
  { readonly cert: string; readonly key: string } | { readonly servername: string };

/** TLS towards the client; files as paths. */
export type ListenTls = {
  readonly certificate: ServerCertificate;
  /** OCSP response to staple. */
  readonly ocsp?: string;
  /** Clients must present a certificate of one of these authorities. */
  readonly clientCa?: string;
  /** Whether the relay is ready, and takes a configuration, before the files are valid; its clients are refused until then. */
  readonly isOptional?: true;
  /** Protocols to negotiate by ALPN, in the order of preference; absent = none, whatever a client offers. */
  readonly alpn?: readonly string[];
};

/** TLS towards the remote; files as paths. */
export type RemoteTls = {
  /** Name, or IP address, that the remote's certificate must be for. */
  readonly sni: string;
  /** Protocols to offer by ALPN; [] = none. */
  readonly alpn: readonly string[];
  /** Whether any certificate is accepted. */
  readonly insecure: boolean;
  /** Authorities to trust instead of those of Node.js. */
  readonly ca?: string;
  /** The certificate that the relay presents. */
  readonly client?: { readonly cert: string; readonly key: string };
};

/** The layers between TCP and the relayed bytes, at least one of them. WebSocket runs inside TLS. */
export type TransportConfig<Tls> = { readonly tls?: Tls; readonly webSocket?: WebSocketTarget };

/** Towards the client. */
export type ListenTransportConfig = TransportConfig<ListenTls>;

/** Towards the remote. */
export type RemoteTransportConfig = TransportConfig<RemoteTls>;

type Side = 'listen' | 'remote';

type Option = {
  /** The layer that it belongs to. */
  readonly of: 'ws' | 'tls';
  /** The sides on which it has an effect. */
  readonly sides: readonly Side[];
  readonly hasValue: boolean;
};

const both: readonly Side[] = ['listen', 'remote'];

/** Realm's options, and five of our own, which Realm ignores: ca, clientca, optional, pinginterval and pingtimeout. */
const options: Readonly<Record<string, Option>> = {
  ws: { of: 'ws', sides: both, hasValue: false },
  host: { of: 'ws', sides: both, hasValue: true },
  path: { of: 'ws', sides: both, hasValue: true },
  pinginterval: { of: 'ws', sides: both, hasValue: true },
  pingtimeout: { of: 'ws', sides: both, hasValue: true },
  tls: { of: 'tls', sides: both, hasValue: false },
  sni: { of: 'tls', sides: ['remote'], hasValue: true },
  alpn: { of: 'tls', sides: both, hasValue: true },
  insecure: { of: 'tls', sides: ['remote'], hasValue: false },
  '0rtt': { of: 'tls', sides: [], hasValue: false },
  ca: { of: 'tls', sides: ['remote'], hasValue: true },
  cert: { of: 'tls', sides: both, hasValue: true },
  key: { of: 'tls', sides: both, hasValue: true },
  servername: { of: 'tls', sides: ['listen'], hasValue: true },
  ocsp: { of: 'tls', sides: ['listen'], hasValue: true },
  clientca: { of: 'tls', sides: ['listen'], hasValue: true },
  optional: { of: 'tls', sides: ['listen'], hasValue: false },
};

/** `listen_transport`, e.g. `tls;cert=/etc/tls.crt;key=/etc/tls.key`; '' = plain TCP. */
export const listenTransport: Rule<ListenTransportConfig> = transportRule('listen', listenTls);

/** `remote_transport`, e.g. `ws;host=a.example;path=/chat;tls;sni=a.example`; '' = plain TCP. */
export const remoteTransport: Rule<RemoteTransportConfig> = transportRule('remote', remoteTls);

/** The options in a string with their values; '' for those without one. */
type Given = ReadonlyMap<string, string>;

/** What is wrong, and what to do. */
type Fault = Pick<Problem, 'what' | 'remedy'>;

function transportRule<Tls extends object>(
  side: Side,
  readTls: (given: Given) => Tls | Fault,
): Rule<TransportConfig<Tls>> {
  return (value, path, findings) => {
    const written = text(value, path, findings);
    if (written === undefined || written.trim() === '') return undefined;
    const { given, faults, warnings } = readOptions(written, side);
    findings.warnings.push(...warnings.map((what) => ({ path, what, value: written, remedy: 'remove it' })));
    const read = faults.length > 0 ? faults : transport(given, side, readTls);
    if (!Array.isArray(read)) return read;
    findings.problems.push(...read.map((fault) => ({ path, value: written, ...fault })));
    return undefined;
  };
}

type ReadOptions = { readonly given: Given; readonly faults: Fault[]; readonly warnings: string[] };

function readOptions(written: string, side: Side): ReadOptions {
  const read = { given: new Map<string, string>(), faults: [] as Fault[], warnings: [] as string[] };
  for (const part of written.split(';').filter((each) => each.trim() !== '')) {
    const [name = '', setting] = part.split(/=(.*)/s, 2).map((each) => each.trim());
    const fault = optionFault(name, setting);
    if (fault !== undefined) read.faults.push(fault);
    else if (read.given.has(name)) read.warnings.push(`has "${name}" twice; the first one applies`);
    else if (ownValue(options, name)?.sides.includes(side) === true) read.given.set(name, setting ?? '');
    else read.warnings.push(`has "${name}", which has no effect here`);
  }
  if (read.faults.length === 0) read.faults.push(...misplacedOptions(read.given));
  return read;
}

function optionFault(name: string, setting: string | undefined): Fault | undefined {
  if (name === 'wss')
    return { what: 'has an unknown word "wss"', remedy: 'write "ws;tls" with their options' };
  const option = ownValue(options, name);
  if (option === undefined) return unknownOption(name);
  const isEmpty = setting === undefined || setting === '';
  if (option.hasValue && isEmpty)
    return { what: `has "${name}" without a value`, remedy: `write ${name}=VALUE` };
  if (option.hasValue || setting === undefined) return undefined;
  return { what: `gives "${name}" a value`, remedy: `write ${name} alone` };
}

function unknownOption(name: string): Fault {
  const near = nearest(name, Object.keys(options));
  const remedy = near === undefined ? `use ${Object.keys(options).join(', ')}` : `did you mean "${near}"?`;
  return { what: `has an unknown word "${name}"`, remedy };
}

/**
 * Options of a layer that is not enabled. They are rejected, so that a forgotten `tls` never sends plain text unnoticed.
 */
function misplacedOptions(given: Given): Fault[] {
  if (!given.has('ws') && !given.has('tls')) {
    return [{ what: 'names neither ws nor tls', remedy: 'add "ws" or "tls", or remove it for plain TCP' }];
  }
  return [...given.keys()].flatMap((name) => {
    const of = ownValue(options, name)?.of ?? '';
    return given.has(of)
      ? []
      : { what: `has "${name}" without "${of}"`, remedy: `add "${of}", or remove "${name}"` };
  });
}

function transport<Tls extends object>(
  given: Given,
  side: Side,
  readTls: (given: Given) => Tls | Fault,
): TransportConfig<Tls> | Fault[] {
  const tls = given.has('tls') ? readTls(given) : undefined;
  const webSocket = given.has('ws') ? webSocketTarget(given, side) : undefined;
  const faults = [tls, webSocket].filter((each): each is Fault => each !== undefined && 'what' in each);
  if (faults.length > 0) return faults;
  return { ...(tls && { tls: tls as Tls }), ...(webSocket && { webSocket: webSocket as WebSocketTarget }) };
}

function webSocketTarget(given: Given, side: Side): WebSocketTarget | Fault {
  const [host, path] = [given.get('host'), given.get('path')];
  if (host === undefined || path === undefined) {
    return {
      what: 'has ws without host and path',
      remedy: 'add host=HOST;path=PATH, as the other side has them',
    };
  }
  if (/[^!-~]/.test(host + path))
    return {
      what: 'has a host or path that no request can have',
      remedy: 'use printable ASCII without spaces',
    };
  const pings = pingConfig(given, side);
  return 'what' in pings ? pings : { host, path, pings };
}

function pingConfig(given: Given, side: Side): PingConfig | Fault {
  for (const name of ['pinginterval', 'pingtimeout']) {
    const written = given.get(name) ?? '0';
    if (!/^[0-9]{1,5}$/.test(written) || Number(written) > maxPingSeconds)
      return {
        what: `has "${name}" without a number of seconds`,
        remedy: `write ${name}=SECONDS, 0 to ${String(maxPingSeconds)}`,
      };
  }
  const usual = side === 'remote' ? remotePingSeconds : 0;
  const intervalMs = Number(given.get('pinginterval') ?? usual) * 1000;
  const timeout = given.get('pingtimeout');
  if (timeout === undefined) return { intervalMs };
  if (intervalMs > 0) return { intervalMs, timeoutMs: Number(timeout) * 1000 };
  return { what: 'has "pingtimeout" without pings', remedy: 'add pinginterval=SECONDS, or remove it' };
}

function listenTls(given: Given): ListenTls | Fault {
  const [ocsp, clientCa] = [given.get('ocsp'), given.get('clientca')];
  const certificate = serverCertificate(given);
  if ('what' in certificate) return certificate;
  const alpn = protocolList(given);
  return {
    certificate,
    ...(ocsp !== undefined && { ocsp }),
    ...(clientCa !== undefined && { clientCa }),
    ...(given.has('optional') && { isOptional: true as const }),
    ...(alpn.length > 0 && { alpn }),
  };
}

function protocolList(given: Given): readonly string[] {
  const names = (given.get('alpn') ?? '').split(',').map((each) => each.trim());
  return names.filter((each) => each !== '');
}

function serverCertificate(given: Given): ServerCertificate | Fault {
  const [cert, key, servername] = [given.get('cert'), given.get('key'), given.get('servername')];
  if (cert !== undefined && key !== undefined) return { cert, key };
  if (servername !== undefined) return { servername };
  return {
    what: 'has tls without a certificate',
    remedy: 'add cert=FILE;key=FILE, or servername=NAME to have one generated at start',
  };
}

function remoteTls(given: Given): RemoteTls | Fault {
  const [sni, ca, insecure] = [given.get('sni'), given.get('ca'), given.has('insecure')];
  if (sni === undefined) {
    return { what: 'has tls without sni', remedy: "add sni=NAME, the name in the remote's certificate" };
  }
  if (insecure && ca !== undefined) {
    return {
      what: 'has both insecure and ca',
      remedy: 'remove insecure, so that the certificate is checked',
    };
  }
  const client = clientCertificate(given);
  if (client !== undefined && 'what' in client) return client;
  return {
    sni,
    alpn: protocolList(given),
    insecure,
    ...(ca !== undefined && { ca }),
    ...(client && { client }),
  };
}

function clientCertificate(given: Given): RemoteTls['client'] | Fault {
  const [cert, key] = [given.get('cert'), given.get('key')];
  if (cert === undefined && key === undefined) return undefined;
  if (cert !== undefined && key !== undefined) return { cert, key };
  return { what: 'has only one of cert and key', remedy: 'give both cert=FILE and key=FILE, or neither' };
}

/** The two transports in Realm's notation, e.g. `[ws][tls][plain]||[plain]`; '' if both are plain. */
export function transportText(
  listen: ListenTransportConfig | undefined,
  remote: RemoteTransportConfig | undefined,
): string {
  if (listen === undefined && remote === undefined) return '';
  return [listen, remote]
    .map((each) => `${each?.webSocket ? '[ws]' : ''}${each?.tls ? '[tls]' : ''}[plain]`)
    .join('||');
}

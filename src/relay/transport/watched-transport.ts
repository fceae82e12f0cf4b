import type { Socket } from 'node:net';
import type { SecureContext } from 'node:tls';
import type { EndpointConfig } from '../../config/relay-config.ts';
import type { Clock } from '../../lib/clock.ts';
import type { ListenTls, RemoteTls, ServerCertificate } from '../../config/transport.ts';
import type { EndpointTransport, TransportContext } from './endpoint-transport.ts';
import { certificateChain, keyPair, type FileBytes } from './certificates.ts';
import { ownProxyHeader } from '../proxy-protocol/header.ts';
import { WatchedFiles } from './watched-files.ts';
import { HandshakeError } from './handshake-error.ts';
import { acceptLayers, connectLayers, type Layers } from './layers.ts';
import { connectRemotePeer } from './remote-peer.ts';
import { selfSigned } from './self-signed.ts';
import { clientContext } from './tls-client.ts';
import { TlsServer, type ServerMaterial } from './tls-server.ts';
import { TransportConnection, type Handshakes } from './transport-connection.ts';

/** The transports of one endpoint, and the certificate files of both sides, which are watched. */
class WatchedTransport implements EndpointTransport {
  readonly #config: EndpointConfig;
  readonly #clock: Clock;
  readonly #listen: WatchedFiles<TlsServer> | undefined;
  readonly #remote: WatchedFiles<SecureContext> | undefined;
  readonly #handshakes: Handshakes = {
    accept: (raw) => this.#accept(raw),
    request: (raw) => this.#request(raw),
  };

  constructor(config: EndpointConfig, { clock, log }: TransportContext) {
    this.#config = config;
    this.#clock = clock;
    const watch = <T>(side: string, paths: readonly string[], make: (files: readonly FileBytes[]) => T) => {
      const fields = { endpoint: config.name, side };
      return new WatchedFiles({
        paths,
        make,
        clock,
        onUpdated: () => {
          log.info(fields, 'certificates loaded');
        },
        onProblem: (problem) => {
          log.error({ ...fields, problem }, 'certificates rejected, keeping the previous ones');
        },
      });
    };
    const [listen, remote] = [config.listenTransport?.tls, config.remoteTransport?.tls];
    if (listen !== undefined)
      this.#listen = watch('client', listenPaths(listen), serverMaker(listen, clock.now()));
    if (remote !== undefined) this.#remote = watch('upstream', remotePaths(remote), clientMaker(remote));
  }

  get problem(): string {
    return this.#files.flatMap(({ problem }) => (problem === '' ? [] : problem)).join('; ');
  }

  get isUsable(): boolean {
    return this.#files.every(({ value }) => value !== undefined);
  }

  get isOptional(): boolean {
    const isOnlyListen = this.#remote === undefined || this.#remote.value !== undefined;
    return isOnlyListen && this.#config.listenTransport?.tls?.isOptional === true;
  }

  async load(): Promise<void> {
    await Promise.all(this.#files.map((files) => files.load()));
  }

  watch(): void {
    for (const files of this.#files) files.watch();
  }

  stop(): void {
    for (const files of this.#files) files.stop();
  }

  readonly serve: EndpointTransport['serve'] = (accepted, port, config, connection) =>
    new TransportConnection(accepted, port, config, { connection, handshakes: this.#handshakes });

  readonly connect: EndpointTransport['connect'] = (target, onConnected, { network }, tcp) => {
    const { sendProxyVersion: version, sendMptcp: mptcp } = network;
    return connectRemotePeer({ ...target, mptcp }, onConnected, {
      tcp,
      settings: network,
      header: version && ownProxyHeader(version),
      request: this.#handshakes.request,
    });
  };

  get #files(): readonly WatchedFiles<unknown>[] {
    return [this.#listen, this.#remote].filter((files) => files !== undefined);
  }

  async #accept(raw: Socket): Promise<Layers> {
    if (!this.isUsable) throw new HandshakeError(`no certificates loaded yet: ${this.problem}`);
    return acceptLayers(raw, this.#config.listenTransport ?? {}, this.#listen?.value, this.#clock);
  }

  async #request(raw: Socket): Promise<Layers> {
    return connectLayers(raw, this.#config.remoteTransport ?? {}, this.#remote?.value, this.#clock);
  }
}

/**
 * The transports of the endpoint that `config` describes. Their files are read once.
 *
 * @param config  has a transport on at least one side.
 */
export async function loadTransport(
  config: EndpointConfig,
  context: TransportContext,
): Promise<EndpointTransport> {
  const transport = new WatchedTransport(config, context);
  await transport.load();
  return transport;
}

function listenPaths({ certificate, ocsp, clientCa }: ListenTls): readonly string[] {
  const files = 'cert' in certificate ? [certificate.cert, certificate.key] : [];
  return [...files, clientCa, ocsp].filter((path) => path !== undefined);
}

/** Keeps one server, since it knows the handshakes that are under way; its certificates change. */
function serverMaker(tls: ListenTls, now: Date): (files: readonly FileBytes[]) => TlsServer {
  const { certificate, ocsp, clientCa } = tls;
  const pair = pairMaker(certificate, now);
  let server: TlsServer | undefined;
  return (files) => {
    const of = fileNamed(files);
    const material = {
      ...pair(of),
      ...(clientCa !== undefined && { clientCa: certificateChain(of(clientCa)) }),
      ...(ocsp !== undefined && { ocsp: of(ocsp).bytes }),
    } satisfies ServerMaterial;
    if (server === undefined) server = new TlsServer(material, tls.alpn);
    else server.use(material);
    return server;
  };
}

type FileNamed = (path: string) => FileBytes;

function pairMaker(
  certificate: ServerCertificate,
  now: Date,
): (fileNamed: FileNamed) => ReturnType<typeof keyPair> {
  if ('cert' in certificate) return (of) => keyPair(of(certificate.cert), of(certificate.key));
  const own = selfSigned(certificate.servername, now);
  return () => own;
}

function remotePaths({ ca, client }: RemoteTls): readonly string[] {
  return [ca, client?.cert, client?.key].filter((path) => path !== undefined);
}

function clientMaker({ ca, client }: RemoteTls): (files: readonly FileBytes[]) => SecureContext {
  return (files) => {
    const of = fileNamed(files);
    return clientContext({
      ...(ca !== undefined && { ca: certificateChain(of(ca)) }),
      ...(client !== undefined && { client: keyPair(of(client.cert), of(client.key)) }),
    });
  };
}

function fileNamed(files: readonly FileBytes[]): FileNamed {
  return (path) => files.find((file) => file.path === path) ?? { path, bytes: Buffer.alloc(0) };
}

import type { Socket } from 'node:net';
import type { SecureContext } from 'node:tls';
import type { EndpointConfig } from '../../config/relay-config.ts';
import type { ListenTls, RemoteTls, ServerCertificate } from '../../config/transport.ts';
import type { EndpointTransport, TransportContext } from './endpoint-transport.ts';
import { certificateChain, keyPair, type FileBytes } from './certificates.ts';
import { WatchedFiles } from './watched-files.ts';
import { HandshakeError } from './handshake-error.ts';
import { acceptLayers, connectLayers, type Layers } from './layers.ts';
import { selfSigned } from './self-signed.ts';
import { clientContext } from './tls-client.ts';
import { TlsServer, type ServerMaterial } from './tls-server.ts';
import { TransportConnection } from './transport-connection.ts';

/** The files of both sides of one endpoint, followed, and what goes through them. */
class WatchedTransport implements EndpointTransport {
  readonly #config: EndpointConfig;
  readonly #listen: WatchedFiles<TlsServer> | undefined;
  readonly #remote: WatchedFiles<SecureContext> | undefined;

  constructor(config: EndpointConfig, { clock, log }: TransportContext) {
    this.#config = config;
    const follow = <T>(side: string, paths: readonly string[], make: (files: readonly FileBytes[]) => T) => {
      const fields = { endpoint: config.name, side };
      return new WatchedFiles({
        paths,
        make,
        clock,
        onTaken: () => {
          log.info(fields, 'certificates taken');
        },
        onProblem: (problem) => {
          log.error({ ...fields, problem }, 'certificates cannot be used, those before stay');
        },
      });
    };
    const [listen, remote] = [config.listenTransport?.tls, config.remoteTransport?.tls];
    if (listen !== undefined)
      this.#listen = follow('client', listenPaths(listen), serverMaker(listen, clock.now()));
    if (remote !== undefined) this.#remote = follow('upstream', remotePaths(remote), clientMaker(remote));
  }

  get problem(): string {
    return this.#files.flatMap(({ problem }) => (problem === '' ? [] : problem)).join('; ');
  }

  get isUsable(): boolean {
    return this.#files.every(({ value }) => value !== undefined);
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

  readonly serve: EndpointTransport['serve'] = (accepted, port, config, context) => {
    return new TransportConnection(accepted, port, config, {
      ...context,
      accept: (raw) => this.#accept(raw),
      request: (raw) => this.#connect(raw),
    });
  };

  get #files(): readonly WatchedFiles<unknown>[] {
    return [this.#listen, this.#remote].filter((files) => files !== undefined);
  }

  async #accept(raw: Socket): Promise<Layers> {
    if (!this.isUsable) throw new HandshakeError(`there are no certificates yet: ${this.problem}`);
    return acceptLayers(raw, this.#config.listenTransport ?? {}, this.#listen?.value);
  }

  async #connect(raw: Socket): Promise<Layers> {
    return connectLayers(raw, this.#config.remoteTransport ?? {}, this.#remote?.value);
  }
}

/**
 * The transports of the endpoint that `config` describes, their files read once.
 *
 * @param config  has at least one.
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

/** One server for all times, since it counts those that come to terms; what it shows changes. */
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
    if (server === undefined) server = new TlsServer(material);
    else server.use(material);
    return server;
  };
}

type FileNamed = (path: string) => FileBytes;

function pairMaker(certificate: ServerCertificate, now: Date): (of: FileNamed) => ReturnType<typeof keyPair> {
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

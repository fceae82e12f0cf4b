import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { createServer as createTlsServer } from 'node:tls';
import { KubeConfig } from '@kubernetes/client-node';
import { expect } from 'chai';
import { KubeClient } from '../../src/kube/client.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { selfSigned } from '../../src/relay/transport/self-signed.ts';

type Scheme = 'http' | 'https';

const ok = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}';
/** More than the kernel takes. */
const much = 'x'.repeat(16 * 2 ** 20);

/** The connections for requests of a client with a fence, whose term ends. */
describe('ResettableSockets', () => {
  let term: AbortController;
  let server: Server;
  let client: KubeClient;
  /** Codes of the errors that the server's connections ended with. */
  let errors: unknown[];
  /** What it speaks over TLS, as an API server would choose, which has HTTP/2, too. */
  let chosen: unknown[];

  beforeEach(() => {
    [term, errors, chosen] = [new AbortController(), [], []];
  });

  /**
   * A server, and a client that has sent it one request, so that there is a connection on which nothing waits to be read: what
   * is unread makes a reset of every end.
   *
   * @param onSecond  told of what comes after that.
   */
  async function connected(
    scheme: Scheme,
    isFenced: boolean,
    onSecond: (socket: Socket) => void = () => undefined,
  ): Promise<void> {
    const onSocket = (socket: Socket): void => {
      socket.on('error', ({ code }: NodeJS.ErrnoException) => errors.push(code));
      socket.once('close', () => server.close());
      socket.once('data', () => {
        socket.write(ok);
        socket.once('data', () => {
          onSecond(socket);
        });
      });
    };
    server =
      scheme === 'http'
        ? createServer(onSocket)
        : createTlsServer(
            { ...selfSigned('localhost', new Date()), ALPNProtocols: ['h2', 'http/1.1'] },
            (socket) => {
              chosen.push(socket.alpnProtocol);
              onSocket(socket);
            },
          );
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = server.address() as AddressInfo;
    const config = new KubeConfig();
    const url = `${scheme}://127.0.0.1:${String(port)}`;
    config.loadFromClusterAndUser({ name: 'slow', server: url, skipTLSVerify: true }, { name: 'test' });
    const fence = { holds: () => true, signal: term.signal };
    client = new KubeClient(() => config, systemClock, isFenced ? fence : undefined);
    await client.request({ method: 'GET', path: '/x' });
    await turn(); // else its connection is not free yet, and the next request makes another
  }

  /** Resolves with how the server's connection ended. */
  async function ended(): Promise<unknown[]> {
    await Promise.all([client.close(), once(server, 'close')]);
    return errors;
  }

  const cases: { scheme: Scheme; isFenced: boolean; end: unknown[]; why: string }[] = [
    { scheme: 'http', isFenced: true, end: ['ECONNRESET'], why: 'is taken back' },
    { scheme: 'https', isFenced: true, end: ['ECONNRESET'], why: 'is taken back' },
    { scheme: 'http', isFenced: false, end: [], why: 'arrives late where only the request is given up' },
    { scheme: 'https', isFenced: false, end: [], why: 'arrives late where only the request is given up' },
  ];
  for (const { scheme, isFenced, end, why } of cases) {
    it(`what the kernel has not delivered ${why}: ${scheme}`, async () => {
      const { promise: begun, resolve } = Promise.withResolvers<undefined>();
      await connected(scheme, isFenced, (socket) => {
        socket.pause();
        term.signal.addEventListener('abort', () => socket.resume());
        resolve(undefined);
      });
      const write = { method: 'PATCH', path: '/x', body: { much }, signal: term.signal } as const;
      const writing = client.request(write).catch((thrown: unknown) => thrown);
      await begun;
      term.abort();
      expect(await writing).to.be.instanceOf(Error);
      expect(await ended()).to.deep.equal(end);
    });
  }

  for (const scheme of ['http', 'https'] as const) {
    it(`an idle connection is reset, too: ${scheme}`, async () => {
      await connected(scheme, true);
      term.abort();
      expect(await ended()).to.deep.equal(['ECONNRESET']);
    });
  }

  for (const isFenced of [true, false]) {
    it(`a server that has HTTP/2, too, is spoken to in HTTP/1.1, ${isFenced ? 'with' : 'without'} a fence`, async () => {
      await connected('https', isFenced);
      expect(chosen).to.deep.equal(['http/1.1']);
      await ended();
    });
  }
});

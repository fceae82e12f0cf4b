import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { KubeConfig } from '@kubernetes/client-node';
import { expect } from 'chai';
import { FencedError } from '../../src/kube/fence.ts';
import { KubeError } from '../../src/kube/kube-error.ts';
import { KubeClient } from '../../src/kube/client.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { eventually } from '../support/eventually.ts';
import { answerJson, FakeApiServer, statusObject } from './fake-api-server.ts';

describe('KubeClient', () => {
  let server: FakeApiServer;
  let client: KubeClient;

  beforeEach(async () => {
    server = new FakeApiServer((_request, response) => {
      answerJson(response, {});
    });
    await server.start();
    client = new KubeClient(server.kubeConfig(), systemClock);
  });

  afterEach(async () => {
    await client.close();
    await server.stop();
  });

  async function refusal(): Promise<KubeError> {
    const error: unknown = await client
      .request({ method: 'GET', path: '/x' })
      .catch((thrown: unknown) => thrown);
    if (error instanceof KubeError) return error;
    throw new Error('not refused', { cause: error });
  }

  it('sends 500 requests at a time over at most 64 connections', async () => {
    const requests = Array.from({ length: 500 }, () => client.request({ method: 'GET', path: '/x' }));
    await Promise.all(requests);
    expect(server.requests).to.have.lengthOf(500);
    expect(server.connections).to.be.most(64);
  });

  it('keeps 2,000 characters of an endless error, and closes its connection', async () => {
    const closed = Promise.withResolvers<undefined>();
    server.handle = (_request, response) => {
      response.on('close', closed.resolve).writeHead(502);
      const send = (): void => {
        while (!response.destroyed && response.write('<b>\u001b[2J bad gateway\n'.repeat(1_000)));
      };
      response.on('drain', send);
      send();
    };
    const { message, status } = await refusal();
    expect(status).to.equal(502);
    expect(message)
      .to.have.lengthOf(2_001)
      .and.to.match(/^<b> \[2J bad gateway <b> /);
    await closed.promise;
  });

  it('takes what a Status has of the right type, and cuts it', async () => {
    const causes = [
      { field: 7, message: 'x'.repeat(5_000) },
      null,
      ...Array<object>(100).fill({ field: 'spec' }),
    ];
    const status = {
      ...statusObject(422, 'Invalid', 'no'),
      message: 7,
      details: { causes, retryAfterSeconds: 1e12 },
    };
    server.handle = (_request, response) => {
      answerJson(response, status, 422);
    };
    const { message, causes: kept, retryAfterMs } = await refusal();
    expect(message).to.equal(JSON.stringify(status).slice(0, 2_000) + '…');
    expect(kept).to.have.lengthOf(64);
    expect(kept[0]).to.deep.equal({ message: `${'x'.repeat(512)}…` });
    expect(kept[1]).to.deep.equal({});
    expect(retryAfterMs).to.equal(600_000);
  });

  it('reads an answer up to 64 MiB', async () => {
    server.handle = (_request, response) => {
      response.on('error', () => undefined).end(Buffer.alloc(65 * 1024 ** 2, ' '));
    };
    const error: unknown = await client
      .request({ method: 'GET', path: '/x' })
      .catch((thrown: unknown) => thrown);
    expect(error).to.have.property('message', 'the answer of the API server is larger than 67108864 bytes');
  });

  describe('with a fence', () => {
    let holds: boolean;
    let term: AbortController;

    beforeEach(async () => {
      [holds, term] = [true, new AbortController()];
      await client.close();
      const fence = { holds: () => holds, signal: term.signal };
      client = new KubeClient(server.kubeConfig(), systemClock, fence);
    });

    const write = { method: 'PATCH', path: '/x', body: {} } as const;

    it('reads whether it holds or not, and writes only while it does', async () => {
      await client.request(write);
      holds = false;
      await client.request({ method: 'GET', path: '/x' });
      const error: unknown = await client.request(write).catch((thrown: unknown) => thrown);
      expect(error).to.be.instanceOf(FencedError);
      expect(server.requests).to.have.lengthOf(2);
    });

    it('does not send what waited for a connection while it ceased to hold', async () => {
      const open: ServerResponse[] = [];
      server.handle = (_request, response) => open.push(response);
      const writes = Array.from({ length: 68 }, () =>
        client.request(write).catch((thrown: unknown) => thrown),
      );
      await eventually('every connection is taken', () => open.length === 64);
      holds = false;
      for (const response of open) answerJson(response, {});
      const fencedErrors = (await Promise.all(writes)).filter((answer) => answer instanceof FencedError);
      expect(fencedErrors).to.have.lengthOf(4);
      expect(server.requests).to.have.lengthOf(64);
    });

    it('gives up what is under way when the term ends', async () => {
      server.handle = () => undefined;
      const writing = client.request(write).catch((thrown: unknown) => thrown);
      await eventually('under way', () => server.requests.length === 1);
      term.abort();
      expect(await writing).to.have.property('name', 'AbortError');
    });

    it('fails with the error of TLS, and of a port where nobody listens', async () => {
      const [plain, nobody] = [
        createServer((socket) =>
          socket
            .on('error', () => undefined)
            .resume()
            .end('?'),
        ),
        createServer(),
      ];
      for (const listener of [plain, nobody]) await once(listener.listen(0, '127.0.0.1'), 'listening');
      const [plainPort, closedPort] = [plain, nobody].map(
        (listener) => (listener.address() as AddressInfo).port,
      );
      await once(nobody.close(), 'close');
      for (const [port, message] of [
        [plainPort, /wrong version number|packet length|disconnected/i],
        [closedPort, /ECONNREFUSED/],
      ] as const) {
        const unsafe = clientTo(`https://127.0.0.1:${String(port)}`);
        const error: unknown = await unsafe.request(write).catch((thrown: unknown) => thrown);
        expect((error as Error).message).to.match(message);
        await unsafe.close();
      }
      await once(plain.close(), 'close');
    });

    function clientTo(server: string): KubeClient {
      const config = new KubeConfig();
      config.loadFromClusterAndUser({ name: 'other', server, skipTLSVerify: true }, { name: 'test' });
      return new KubeClient(() => config, systemClock, { holds: () => holds, signal: term.signal });
    }
  });

  it('gives watches connections of their own, so that many do not stop the requests', async () => {
    server.handle = (_request, response, url) => {
      if (url.pathname === '/watch') response.writeHead(200).write('\n');
      else answerJson(response, {});
    };
    const stop = new AbortController();
    const watches = Array.from({ length: 20 }, () =>
      client.stream({ method: 'GET', path: '/watch', signal: stop.signal }),
    );
    for (const body of await Promise.all(watches)) body.on('error', () => undefined);
    await client.request({ method: 'GET', path: '/x' });
    stop.abort();
  });

  it('reads the token again when it is no longer taken, and tries once more', async () => {
    client = new KubeClient(server.kubeConfig('old', 'new'), systemClock);
    server.handle = (request, response) => {
      answerJson(
        response,
        { by: request.headers.authorization },
        request.headers.authorization === 'Bearer new' ? 200 : 401,
      );
    };
    expect(await client.request({ method: 'GET', path: '/x' })).to.deep.equal({ by: 'Bearer new' });
    expect(server.requests).to.have.lengthOf(2);
  });

  it('gives up if the new token is not taken either', async () => {
    server.handle = (_request, response) => {
      answerJson(response, statusObject(401, 'Unauthorized', 'who?'), 401);
    };
    expect(await refusal()).to.include({ status: 401, reason: 'Unauthorized', message: 'who?' });
    expect(server.requests).to.have.lengthOf(2);
  });

  it('throws what the server answers: status, reason, fields and how long to wait', async () => {
    server.handle = (_request, response) => {
      const details = { causes: [{ field: 'spec.x', reason: 'FieldValueInvalid', message: 'no' }] };
      response.setHeader('retry-after', '3');
      answerJson(response, { ...statusObject(429, 'TooManyRequests', 'busy'), details }, 429);
    };
    const error = await refusal();
    expect(error).to.include({
      status: 429,
      reason: 'TooManyRequests',
      message: 'busy',
      retryAfterMs: 3_000,
    });
    expect(error.causes[0]).to.include({ field: 'spec.x' });
  });

  for (const [body, message, why] of [
    ['<html>Bad gateway</html>', '<html>Bad gateway</html>', 'a page of a proxy'],
    ['', 'the API server answered 502', 'nothing'],
    ['"text"', '"text"', 'JSON of something else'],
  ] as const) {
    it(`makes an error of ${why}`, async () => {
      server.handle = (_request, response) => response.writeHead(502).end(body);
      expect(await refusal()).to.include({ status: 502, reason: '', message });
    });
  }

  it('fails with the error of the connection if it is cut', async () => {
    server.handle = (request) => request.socket.destroy();
    const error: unknown = await client
      .request({ method: 'GET', path: '/x' })
      .catch((thrown: unknown) => thrown);
    expect(error).to.be.instanceOf(Error).and.have.property('code', 'UND_ERR_SOCKET');
  });

  it('sends a body as JSON under its media type, and the query', async () => {
    server.handle = (request, response, url) => {
      let text = '';
      request.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      request.on('end', () => {
        answerJson(response, {
          text,
          type: request.headers['content-type'],
          force: url.searchParams.get('force'),
        });
      });
    };
    const contentType = 'application/apply-patch+yaml';
    const answer = await client.request({
      method: 'PATCH',
      path: '/x',
      query: { force: 'true' },
      body: { a: 'ü' },
      contentType,
    });
    expect(answer).to.deep.equal({ text: '{"a":"ü"}', type: contentType, force: 'true' });
  });

  it('keeps the path of the server, behind which a proxy of many clusters has this one', async () => {
    const load = server.kubeConfig();
    const behind = new KubeClient(() => {
      const config = load();
      const address = config.getCurrentCluster()?.server ?? '';
      config.loadFromClusterAndUser(
        { name: 'one', server: `${address}/k8s/clusters/one/`, skipTLSVerify: true },
        { name: 'test' },
      );
      return config;
    }, systemClock);
    server.handle = (_request, response, url) => {
      answerJson(response, { asked: `${url.pathname}${url.search}` });
    };
    const answer = await behind.request({ method: 'GET', path: '/api/v1/pods', query: { limit: '1' } });
    await behind.close();
    expect(answer).to.deep.equal({ asked: '/k8s/clusters/one/api/v1/pods?limit=1' });
  });

  it('goes through the proxy that the kubeconfig names', async () => {
    const load = server.kubeConfig();
    const proxied = new KubeClient(() => {
      const config = load();
      const cluster = config.getCurrentCluster();
      config.loadFromClusterAndUser(
        {
          name: 'far',
          server: 'http://192.0.2.1:6443',
          skipTLSVerify: true,
          proxyUrl: cluster?.server ?? '',
        },
        { name: 'test' },
      );
      return config;
    }, systemClock);
    const seen: (string | undefined)[] = [];
    server.handle = (request, response) => {
      seen.push(request.headers.host);
      answerJson(response, {});
    };
    await proxied.request({ method: 'GET', path: '/x' });
    await proxied.close();
    expect(seen).to.deep.equal(['192.0.2.1:6443']);
  });

  it('cuts what is under way when it is closed, and sends nothing more', async () => {
    server.handle = () => {
      void client.close();
    };
    const send = (): Promise<unknown> =>
      client.request({ method: 'GET', path: '/x' }).catch((thrown: unknown) => thrown);
    expect(await send()).to.have.property('code', 'UND_ERR_DESTROYED');
    expect(await send()).to.be.instanceOf(Error);
    expect(server.requests).to.have.lengthOf(1);
  });
});

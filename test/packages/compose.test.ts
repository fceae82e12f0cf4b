import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect } from 'chai';
import { load } from 'js-yaml';
import { version } from '../../src/lib/version.ts';
import { runCli } from '../cli/cli.ts';
import { root } from './installed.ts';

type Service = {
  readonly image: string;
  readonly command: readonly string[];
  readonly volumes: readonly string[];
  readonly healthcheck: { readonly test: readonly string[] };
};

const { services } = load(readFileSync(join(root, 'packaging', 'compose.yaml'), 'utf8')) as {
  services: { relay: Service };
};
const { image, command, volumes, healthcheck } = services.relay;

describe('compose.yaml', () => {
  it('runs this version, on manifests of a folder beside it', async () => {
    expect(image).to.equal(`ghcr.io/realm-operator/realm-operator:${version}`);
    expect(command.at(-1)).to.equal('/relays');
    expect(volumes).to.deep.equal(['./relays:/relays:ro']);
    // Its command line is one that the program has: only the folder is missing here.
    const { stderr } = await runCli(command);
    expect(stderr).to.include('/relays').and.to.not.include('Usage');
  });

  describe('its health check', () => {
    const servers: Server[] = [];
    afterEach(() => {
      for (const server of servers.splice(0)) server.close();
    });

    for (const [status, code] of [
      [200, 0],
      [503, 1],
    ] as const)
      it(`ends with ${String(code)} if the relay answers ${String(status)}`, async () => {
        const server = createServer((request, response) => {
          response.writeHead(request.url === '/readyz' ? status : 404).end();
        }).listen(0, '127.0.0.1');
        servers.push(server);
        await once(server, 'listening');
        const address = `127.0.0.1:${String((server.address() as AddressInfo).port)}`;
        const [, , ...args] = healthcheck.test.map((word) => word.replace('127.0.0.1:9180', address));
        const child = spawn(process.execPath, args);
        expect(await once(child, 'close')).to.deep.equal([code, null]);
      });
  });
});

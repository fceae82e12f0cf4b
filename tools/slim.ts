import { isBuiltin } from 'node:module';
import { dirname } from 'node:path';
import type { OnLoadResult, Plugin } from 'esbuild';

/**
 * The parts that our programs use of packages whose index loads everything: bundled whole, they cost the operator several
 * megabytes of memory. A missing name fails the build.
 */
const parts: readonly { readonly filter: RegExp; readonly contents: string }[] = [
  {
    filter: /node_modules\/undici\/index\.js$/,
    contents: `
      import Dispatcher from './lib/dispatcher/dispatcher.js';
      import api from './lib/api/index.js';
      Dispatcher.prototype.request = api.request;
      export { default as Agent } from './lib/dispatcher/agent.js';
      export { default as ProxyAgent } from './lib/dispatcher/proxy-agent.js';
      export { default as DecoratorHandler } from './lib/handler/decorator-handler.js';
      export { default as buildConnector } from './lib/core/connect.js';
      export const { fetch } = globalThis; // for the typed API of client-node, as below
    `,
  },
  {
    // HTTP/2, which no connection here allows, would load Node's module for it.
    filter: /node_modules\/undici\/lib\/dispatcher\/client-h2\.js$/,
    contents: "module.exports = () => { throw new Error('HTTP/2 is not in the bundle'); };",
  },
  {
    // For the typed API, which only KubeConfig.makeApiClient creates; it is never called here.
    filter: /node_modules\/@kubernetes\/client-node\/dist\/gen\/index\.js$/,
    contents: `
      export { createConfiguration } from './configuration.js';
      export { ServerConfiguration } from './servers.js';
    `,
  },
  {
    // Messages are our own; those of zod are in English by default.
    filter: /node_modules\/zod\/v4\/locales\/index\.js$/,
    contents: "export { default as en } from './en.js';",
  },
];

/**
 * A module of Node.js, of which only what is used is read. An import statement that Node.js sees reads all exports, and some
 * load much: WebSocket of `node:http` all of undici (16 MiB), `promises` of `node:fs`, `webcrypto` of `node:crypto`.
 */
function partsOf(name: string): string {
  const names = Object.keys(process.getBuiltinModule(name) ?? {}).filter((each) => each !== 'default');
  return [
    `const whole = process.getBuiltinModule('${name}');`,
    'const part = (name) => whole[name];',
    'export default whole;',
    ...names.map(
      (each, index) =>
        `const part${String(index)} = /* @__PURE__ */ part('${each}'); export { part${String(index)} as ${each} };`,
    ),
  ].join('\n');
}

/** Bundles only the parts of packages and of Node.js that are used. */
export const slim: Plugin = {
  name: 'slim',
  setup: (building) => {
    building.onResolve({ filter: /^[a-z:_/\d]+$/ }, ({ kind, path }) =>
      kind === 'import-statement' && isBuiltin(path)
        ? { path: path.replace(/^(?!node:)/, 'node:'), namespace: 'slim', sideEffects: false }
        : undefined,
    );
    building.onLoad({ filter: /^/, namespace: 'slim' }, ({ path }) => ({ contents: partsOf(path) }));
    for (const { filter, contents } of parts)
      building.onLoad({ filter }, ({ path }): OnLoadResult => ({
        contents,
        resolveDir: dirname(path),
        loader: 'js',
      }));
  },
};

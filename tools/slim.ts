import { dirname } from 'node:path';
import type { OnLoadResult, Plugin } from 'esbuild';

/**
 * What our programs use of two packages whose index loads all there is of them: bundled whole they cost an operator several
 * megabytes of memory. A name that is missing here fails the build.
 */
const parts: readonly { readonly filter: RegExp; readonly contents: string }[] = [
  {
    filter: /node_modules\/undici\/index\.js$/,
    contents: `
      const Dispatcher = require('./lib/dispatcher/dispatcher');
      const { request } = require('./lib/api');
      Dispatcher.prototype.request = request;
      exports.Agent = require('./lib/dispatcher/agent');
      exports.ProxyAgent = require('./lib/dispatcher/proxy-agent');
      exports.DecoratorHandler = require('./lib/handler/decorator-handler');
    `,
  },
  {
    // For the typed API, which only KubeConfig.makeApiClient makes: nobody calls that here.
    filter: /node_modules\/@kubernetes\/client-node\/dist\/gen\/index\.js$/,
    contents: `
      export { createConfiguration } from './configuration.js';
      export { ServerConfiguration } from './servers.js';
    `,
  },
];

/** Bundles of those packages only what is used. */
export const slim: Plugin = {
  name: 'slim',
  setup: (building) => {
    for (const { filter, contents } of parts)
      building.onLoad({ filter }, ({ path }): OnLoadResult => ({
        contents,
        resolveDir: dirname(path),
        loader: 'js',
      }));
  },
};

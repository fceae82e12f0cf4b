import { z } from 'zod';
import { dnsSubdomainPattern } from '../../lib/dns-name.ts';
import { flag, rule, seconds, text } from './parts.ts';

/** Without ";", which separates options in the relay's own file, and without spaces. */
const token = /^[!-:<-~]+$/;
const tokenRemedy = 'use printable ASCII without spaces and ";"';

const secretName = text(253).regex(
  dnsSubdomainPattern,
  'use the name of a Secret: lower-case letters, digits, "-" and "."',
);

const maxPingSeconds = 86_400;

function webSocket(pingDefault: string) {
  return z.object({
    ...webSocketTarget,
    pingIntervalSeconds: seconds(
      0,
      maxPingSeconds,
      `Time without a frame of the peer after which it is sent a ping, so that proxies do not cut an idle connection. 0 means no pings. Default: ${pingDefault}.`,
    ),
    pingTimeoutSeconds: seconds(
      0,
      maxPingSeconds,
      'Time in which the peer must answer a ping, or the connection is reset. 0 means no limit. Default: 30 for a peer that has answered a ping before, no limit for others, since Realm answers none.',
    ),
  });
}

const webSocketTarget = {
  host: text(261)
    .regex(token, tokenRemedy)
    .describe('Host of the WebSocket request, with its port where clients name one; compared byte by byte.'),
  path: text(1024)
    .regex(token, tokenRemedy)
    .describe('Path of the WebSocket request; compared byte by byte.'),
};

const listenWebSocket = rule(webSocket('0'), {
  cel: '!has(self.pingTimeoutSeconds) || (has(self.pingIntervalSeconds) && self.pingIntervalSeconds > 0)',
  holds: ({ pingIntervalSeconds = 0, pingTimeoutSeconds }) =>
    pingTimeoutSeconds === undefined || pingIntervalSeconds > 0,
  remedy: 'set pingIntervalSeconds, too: without it no pings are sent, so remove pingTimeoutSeconds',
});

const remoteWebSocket = rule(webSocket('30'), {
  cel: '!has(self.pingTimeoutSeconds) || !has(self.pingIntervalSeconds) || self.pingIntervalSeconds > 0',
  holds: ({ pingIntervalSeconds = 30, pingTimeoutSeconds }) =>
    pingTimeoutSeconds === undefined || pingIntervalSeconds > 0,
  remedy: 'remove pingTimeoutSeconds, or set pingIntervalSeconds above 0',
});

const either = {
  cel: 'has(self.tls) || has(self.webSocket)',
  holds: ({ tls, webSocket: ws }: { tls?: unknown; webSocket?: unknown }) =>
    tls !== undefined || ws !== undefined,
  remedy: 'give tls, webSocket or both',
};

function alpn(description: string) {
  return z
    .array(text(255).regex(/^[!-+.-:<-~-]+$/, `${tokenRemedy} and ","`))
    .max(8)
    .optional()
    .meta({ 'x-kubernetes-list-type': 'atomic' })
    .describe(description);
}

const listenTls = z.object({
  secretName: secretName.describe(
    'Secret of type kubernetes.io/tls with certificate and key, tls.crt and tls.key, as cert-manager writes it. A renewed one is taken without a restart.',
  ),
  clientCASecretName: secretName
    .optional()
    .describe(
      'Secret with the authorities, ca.crt, of which clients must have a certificate. Default: clients need none.',
    ),
  alpn: alpn(
    'Protocols that are negotiated by ALPN, by preference: those of the remotes, such as h2 for gRPC, which requires it. Clients that offer only others are rejected. Default: none.',
  ),
});

const remoteTls = z.object({
  serverName: text(253)
    .regex(token, tokenRemedy)
    .describe('Host name or IP address that the certificate of a remote must be for.'),
  caSecretName: secretName
    .optional()
    .describe('Secret with the authorities, ca.crt, that are trusted. Default: those of Mozilla.'),
  clientSecretName: secretName
    .optional()
    .describe(
      'Secret of type kubernetes.io/tls with the certificate that the relay shows to remotes. Default: none.',
    ),
  alpn: alpn('Protocols that are offered by ALPN, such as h2. Default: none.'),
  insecure: flag(
    'Take any certificate: whoever is in between can read and change everything. Default: false.',
  ),
});

const restart = 'Naming a Secret that no endpoint named before replaces the Pods, one after another.';

/** TLS and WebSocket between TCP and the relayed bytes, towards the clients. */
export const listenTransport = rule(
  z.object({
    tls: listenTls.optional().describe(`TLS towards the clients. ${restart}`),
    webSocket: listenWebSocket
      .optional()
      .describe('WebSocket towards the clients, inside TLS if both are set.'),
  }),
  either,
);

/** The same towards the remotes. */
export const remoteTransport = rule(
  z.object({
    tls: rule(remoteTls, {
      cel: '!(has(self.insecure) && self.insecure && has(self.caSecretName))',
      holds: ({ insecure, caSecretName }) => insecure !== true || caSecretName === undefined,
      remedy: 'remove insecure, so that the certificate is checked against caSecretName',
    })
      .optional()
      .describe(`TLS towards the remotes. ${restart}`),
    webSocket: remoteWebSocket
      .optional()
      .describe('WebSocket towards the remotes, inside TLS if both are set.'),
  }),
  either,
);

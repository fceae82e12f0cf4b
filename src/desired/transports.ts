import { hash } from 'node:crypto';
import type { V1Volume, V1VolumeMount } from '@kubernetes/client-node';
import type { Endpoint, ListenTransport, Relay, RemoteTransport, WebSocketSettings } from '../api/relay.ts';
import type { RealmEndpoint } from '../config/realm-document.ts';
import { present } from '../lib/record.ts';

/** Where the Secrets that a relay names are mounted, each in a folder of its name. */
export const secretsFolder = '/etc/realm-secrets';

/** Readable only by the group of the relay's process. */
const secretMode = 0o440;

/** A Secret, and the keys of it that are needed. */
export type NeededSecret = {
  readonly name: string;
  readonly keys: readonly string[];
  /** Whether Pods start without it. */
  readonly isOptional?: true;
};

const pairKeys = ['tls.crt', 'tls.key'];
const caKeys = ['ca.crt'];

/** The Secrets that `endpoints` name, once each, sorted, with the keys that are needed. */
export function neededSecrets(endpoints: readonly Endpoint[]): NeededSecret[] {
  const needed = Map.groupBy(endpoints.flatMap(secretsOf), ({ name }) => name);
  return [...needed]
    .map(([name, uses]) => ({
      name,
      keys: [...new Set(uses.flatMap(({ keys }) => keys))].toSorted(),
      ...(uses.every(({ isOptional }) => isOptional) && { isOptional: true as const }),
    }))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

function secretsOf({ listenTransport, remoteTransport }: Endpoint): NeededSecret[] {
  const [listen, remote] = [listenTransport?.tls, remoteTransport?.tls];
  const optional = present('isOptional', listen?.isOptional);
  return [
    { name: listen?.secretName, keys: pairKeys, ...optional },
    { name: listen?.clientCASecretName, keys: caKeys, ...optional },
    { name: remote?.caSecretName, keys: caKeys },
    { name: remote?.clientSecretName, keys: pairKeys },
  ].flatMap(({ name, ...use }) => (name === undefined ? [] : { name, ...use }));
}

/** A volume for each Secret that `relay` names: mounted rather than copied, so that kubelet refreshes it. */
export function secretVolumes({ endpoints }: Relay): V1Volume[] {
  return neededSecrets(endpoints).map(({ name, keys, isOptional }) => ({
    name: volumeName(name),
    secret: {
      secretName: name,
      ...present('optional', isOptional),
      defaultMode: secretMode,
      items: keys.map((key) => ({ key, path: key })),
    },
  }));
}

/** Their mounts: folders, since a file mounted by subPath is never refreshed. */
export function secretMounts({ endpoints }: Relay): V1VolumeMount[] {
  return neededSecrets(endpoints).map(({ name }) => ({
    name: volumeName(name),
    mountPath: `${secretsFolder}/${name}`,
    readOnly: true,
  }));
}

/** The name of a Secret may be longer than that of a volume. */
function volumeName(secretName: string): string {
  return `secret-${hash('sha256', secretName).slice(0, 16)}`;
}

/** The transports of `endpoint` in the relay's file, as options of Realm and of our own. */
export function transportKeys({
  listenTransport,
  remoteTransport,
}: Endpoint): Pick<RealmEndpoint, 'listen_transport' | 'remote_transport'> {
  return {
    ...(listenTransport && { listen_transport: listenOptions(listenTransport) }),
    ...(remoteTransport && { remote_transport: remoteOptions(remoteTransport) }),
  };
}

function listenOptions({ tls, webSocket }: ListenTransport): string {
  const { clientCASecretName: clientCa, alpn = [] } = tls ?? {};
  return [
    ...webSocketOptions(webSocket),
    ...(tls === undefined ? [] : ['tls', ...pairOptions(tls.secretName)]),
    ...(clientCa === undefined ? [] : [`clientca=${file(clientCa, 'ca.crt')}`]),
    ...(alpn.length === 0 ? [] : [`alpn=${alpn.join(',')}`]),
    ...(tls?.isOptional === true ? ['optional'] : []),
  ].join(';');
}

function remoteOptions({ tls, webSocket }: RemoteTransport): string {
  const options = webSocketOptions(webSocket);
  if (tls === undefined) return options.join(';');
  const { serverName, caSecretName: ca, clientSecretName: client, alpn, insecure } = tls;
  return [
    ...options,
    'tls',
    `sni=${serverName}`,
    ...(alpn.length === 0 ? [] : [`alpn=${alpn.join(',')}`]),
    ...(insecure ? ['insecure'] : []),
    ...(ca === undefined ? [] : [`ca=${file(ca, 'ca.crt')}`]),
    ...(client === undefined ? [] : pairOptions(client)),
  ].join(';');
}

function webSocketOptions(target: WebSocketSettings | undefined): string[] {
  if (target === undefined) return [];
  const { host, path, pingIntervalSeconds: interval, pingTimeoutSeconds: timeout } = target;
  return [
    'ws',
    `host=${host}`,
    `path=${path}`,
    ...(interval === undefined ? [] : [`pinginterval=${String(interval)}`]),
    ...(timeout === undefined ? [] : [`pingtimeout=${String(timeout)}`]),
  ];
}

function pairOptions(secretName: string): string[] {
  return [`cert=${file(secretName, 'tls.crt')}`, `key=${file(secretName, 'tls.key')}`];
}

function file(secretName: string, key: string): string {
  return `${secretsFolder}/${secretName}/${key}`;
}

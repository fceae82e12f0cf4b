import { isMapping } from '../../lib/document-rules.ts';
import { isLoopback } from '../../lib/ip-address.ts';
import type { Path } from '../../lib/problem.ts';
import { sourceText } from '../address.ts';
import type { SourcedProblem } from '../config-error.ts';
import type { SourceDocument } from '../config-text.ts';
import type { KeysIn } from '../field-table.ts';
import { endpointNetwork, writtenNetwork, type EndpointNetwork } from '../network-keys.ts';
import type { RealmNetwork } from '../realm-document.ts';
import type { EndpointConfig, RelayConfig } from '../relay-config.ts';
import type { networkFields } from '../spec-fields.ts';
import { tableOrigin, type Origin } from './origins.ts';
import { word } from './secrets.ts';

/** Warnings about settings in the global tables that a RealmRelay has no field for. */
export function tableLosses(
  { log, dns, endpoints }: RelayConfig,
  network: EndpointNetwork,
  sources: readonly SourceDocument[],
): SourcedProblem[] {
  const losses: SourcedProblem[] = [];
  if (log.output !== undefined) {
    const remedy = 'read the log with kubectl logs: Pods write it to standard output';
    losses.push(loss(tableOrigin(sources, 'log'), ['output'], remedy, log.output));
  }
  if (dns !== undefined) {
    const remedy = "Pods use the cluster's DNS: configure it there";
    losses.push(loss(tableOrigin(sources, 'dns'), [], remedy));
  }
  if (endpoints.some(({ deniedDestinations }) => deniedDestinations !== undefined)) {
    const remedy = "the operator's --denied-destinations applies to every relay";
    losses.push(loss(tableOrigin(sources, 'denied_destinations'), [], remedy));
  }
  return [...losses, ...networkLosses(network, defaults, tableOrigin(sources, 'network'))];
}

/** Warnings about settings of `endpoint` that a RealmRelay has no field for, or that do not work in Pods. */
export function endpointLosses(
  endpoint: EndpointConfig,
  network: EndpointNetwork,
  origin: Origin,
): SourcedProblem[] {
  const { source, path } = origin;
  const ownNetwork = { source, path: [...path, 'network'] };
  return [
    ...networkLosses(endpoint.network, network, ownNetwork),
    ...backendLosses(endpoint, origin),
    ...transportLosses(endpoint, origin),
    ...addressLosses(endpoint, origin),
  ];
}

const noField = 'has no field in a RealmRelay and is left out';

function loss({ source, path }: Origin, more: Path, remedy: string, value?: unknown): SourcedProblem {
  return { source, path: [...path, ...more], what: noField, remedy, ...(value !== undefined && { value }) };
}

const defaults = endpointNetwork({});

/** The keys that have no field in a RealmRelay, with the behaviour of Pods without them. */
const lostKeys: Readonly<Record<Exclude<keyof RealmNetwork, KeysIn<typeof networkFields>>, string>> = {
  max_associations: `each Pod keeps ${String(defaults.maxAssociations)} associations of an endpoint`,
  send_mptcp: 'Pods dial by TCP, which remotes with MPTCP accept, too',
  accept_mptcp: 'Pods accept TCP, to which clients with MPTCP fall back',
};

function networkLosses(network: EndpointNetwork, base: EndpointNetwork, origin: Origin): SourcedProblem[] {
  const [written, before] = [writtenNetwork(network), writtenNetwork(base)];
  return Object.entries(lostKeys).flatMap(([name, remedy]) => {
    const key = name as keyof typeof lostKeys;
    return written[key] === before[key] ? [] : loss(origin, [key], remedy, written[key]);
  });
}

function backendLosses({ backends }: EndpointConfig, origin: Origin): SourcedProblem[] {
  if (backends === undefined) return [];
  return [loss(origin, ['backends'], 'the weights of balance apply, and nothing is refused')];
}

function transportLosses({ listenTransport }: EndpointConfig, { source, path }: Origin): SourcedProblem[] {
  const tls = listenTransport?.tls;
  const at = { source, path: [...path, 'listen_transport'] };
  const losses: SourcedProblem[] = [];
  if (tls?.ocsp !== undefined) {
    losses.push(loss(at, [], 'clients get no stapled OCSP response', `ocsp=${tls.ocsp}`));
  }
  if (tls?.isOptional === true)
    losses.push(loss(at, [], 'Pods start once the Secret of the certificate exists', 'optional'));
  if (tls !== undefined && 'servername' in tls.certificate) {
    const { servername } = tls.certificate;
    const what = 'has a certificate generated at start, which a RealmRelay takes from a Secret';
    const remedy = `have cert-manager make one, or first run: ${selfSignedCommand(servername)}`;
    losses.push({ ...at, what, value: `servername=${servername}`, remedy });
  }
  return losses;
}

/** The command that generates a certificate for `name` and its key, in two files. */
function selfSignedCommand(name: string): string {
  const files = `-keyout ${word(`${name}.key`)} -out ${word(`${name}.crt`)}`;
  const names = `-subj ${word(`/CN=${name}`)} -addext ${word(`subjectAltName=DNS:${name}`)}`;
  return `openssl req -x509 -newkey rsa:2048 -nodes -days 365 ${names} ${files}`;
}

const wildcards = ['::', '0.0.0.0', '::ffff:0.0.0.0'];

/**
 * `sources` without the interfaces that endpoints name, and warnings about those: a Pod has interfaces of its own. A relay
 * of UDP would refuse them.
 */
export function withoutDevices(sources: readonly SourceDocument[]): {
  readonly sources: readonly SourceDocument[];
  readonly warnings: readonly SourcedProblem[];
} {
  const warnings: SourcedProblem[] = [];
  const kept = sources.map((each) => {
    const { source, document } = each;
    if (!isMapping(document) || !Array.isArray(document['endpoints'])) return each;
    const endpoints = document['endpoints'].map((endpoint: unknown, index) => {
      if (!isMapping(endpoint)) return endpoint;
      const { interface: dial, listen_interface: listen, ...others } = endpoint;
      const devices = Object.entries({ interface: dial, listen_interface: listen });
      for (const [key, value] of devices)
        if (value !== undefined)
          warnings.push({
            source,
            path: ['endpoints', index, key],
            what: ofMachine,
            value,
            remedy: 'remove it',
          });
      return others;
    });
    return { ...each, document: { ...document, endpoints } };
  });
  return { sources: kept, warnings };
}

const ofMachine = 'is an interface of one machine, which a RealmRelay cannot name';

/** A Pod has addresses of its own, not those of the machine that Realm ran on. */
function addressLosses({ listen, remotes, through }: EndpointConfig, origin: Origin): SourcedProblem[] {
  const { source, path } = origin;
  const onNode = 'set workload.hostNetwork: true and choose the node by podTemplate.spec.nodeSelector';
  const losses: SourcedProblem[] = [];
  if (listen.ip !== undefined && !wildcards.includes(listen.host)) {
    const what = 'is an address of one machine, which Pods do not have';
    const remedy = `listen on [::] or 0.0.0.0, or ${onNode}`;
    losses.push({ source, path: [...path, 'listen'], what, value: listen.host, remedy });
  }
  if (through !== undefined) {
    const [place, value] = [[...path, 'through'], sourceText(through)];
    const what = 'is an address of one machine, which Pods do not have';
    losses.push({ source, path: place, what, value, remedy: `remove it, or ${onNode}` });
    if (through.ip === undefined || through.port !== 0) {
      const more = 'has a port or a host name, which a RealmRelay does not support';
      losses.push({ source, path: place, what: more, value, remedy: 'name the IP address alone' });
    }
  }
  for (const [index, { host }] of remotes.entries()) {
    if (host !== 'localhost' && !isLoopback(host)) continue;
    const key = index === 0 ? ['remote'] : ['extra_remotes', index - 1];
    const what = 'is loopback, which the operator denies by default';
    const remedy = "give the name of a Service or the machine's address";
    losses.push({ source, path: [...path, ...key], what, value: host, remedy });
  }
  return losses;
}

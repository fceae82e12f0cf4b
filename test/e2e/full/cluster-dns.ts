import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { isIPv6 } from 'node:net';
import type { TestNode } from '../../cluster/node.ts';

/** The DNS address that node-init.sh configures for Pods, and the address at which the node reaches this process. */
const clusterIp = '10.96.0.10';
const ourAddress = '172.31.0.1';
const services = '/api/v1/namespaces/kube-system/services';
const slices = '/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices';
const queryTypes: Readonly<Record<number, 'IPv4' | 'IPv6'>> = { 1: 'IPv4', 28: 'IPv6' };
const headerBytes = 12;
const noSuchName = 3;

/** Resolves the names of Services for the Pods of a node: the part of a cluster's DNS that `helm test` needs. */
export class ClusterDns {
  readonly #node: TestNode;
  readonly #socket: Socket;

  private constructor(node: TestNode, socket: Socket) {
    this.#node = node;
    this.#socket = socket;
    socket.on('message', (question, from) => void this.#answer(question, from));
  }

  /** Starts it. */
  static async start(node: TestNode): Promise<ClusterDns> {
    const socket = createSocket('udp4');
    const listening = once(socket, 'listening');
    socket.bind(0, ourAddress);
    await listening;
    await serveClusterDns(node, socket.address().port);
    return new ClusterDns(node, socket);
  }

  /** Stops it. */
  async stop(): Promise<void> {
    const closed = once(this.#socket, 'close');
    this.#socket.close();
    await closed;
  }

  async #answer(question: Buffer, { address, port }: RemoteInfo): Promise<void> {
    const { name, type, end } = parsedQuestion(question);
    const addresses = await this.#addresses(name);
    const family = queryTypes[type];
    const found = (addresses ?? []).filter((ip) => (isIPv6(ip) ? 'IPv6' : 'IPv4') === family);
    const header = Buffer.from(question.subarray(0, headerBytes));
    header.writeUInt16BE(0x8180 | (addresses === undefined ? noSuchName : 0), 2);
    header.writeUInt16BE(found.length, 6);
    header.writeUInt32BE(0, 8); // no other records
    this.#socket.send(
      Buffer.concat([header, question.subarray(headerBytes, end), ...found.map((ip) => record(ip, type))]),
      port,
      address,
    );
  }

  /** The addresses of `service.namespace.svc.cluster.local`; undefined if there is no such Service. */
  async #addresses(name: string): Promise<readonly string[] | undefined> {
    const [, service, namespace] = /^([^.]+)\.([^.]+)\.svc\.cluster\.local$/.exec(name) ?? [];
    if (service === undefined || namespace === undefined) return undefined;
    const path = `/api/v1/namespaces/${namespace}/services/${service}`;
    const { status, json } = await this.#node.request('GET', path);
    return status === 200 ? (json() as { spec: { clusterIPs: string[] } }).spec.clusterIPs : undefined;
  }
}

/** Makes the name server at UDP `port` of this process, bound to 172.31.0.1, the DNS of the Pods of `node`. */
export async function serveClusterDns(node: TestNode, port: number): Promise<void> {
  const metadata = { name: 'kube-dns', labels: { 'kubernetes.io/service-name': 'kube-dns' } };
  const ports = [{ name: 'dns', port: 53, protocol: 'UDP' }];
  await created(node, services, { metadata, spec: { clusterIP: clusterIp, ports } });
  await created(node, slices, {
    metadata,
    addressType: 'IPv4',
    ports: [{ name: 'dns', port, protocol: 'UDP' }],
    endpoints: [{ addresses: [ourAddress] }],
  });
}

async function created(node: TestNode, path: string, object: object): Promise<void> {
  const { status, text } = await node.request('POST', path, object);
  if (status !== 201) throw new Error(`${path}: ${String(status)} ${text}`);
}

/** The only question of a query. `end`: its end offset. Source: RFC 1035, section 4.1. */
function parsedQuestion(query: Buffer): { name: string; type: number; end: number } {
  const labels: string[] = [];
  let at = headerBytes;
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join('.').toLowerCase(), type: query.readUInt16BE(at + 1), end: at + 5 };
}

/** A record for the queried name, which may be cached for a second. */
function record(ip: string, type: number): Buffer {
  const address = isIPv6(ip) ? ipv6Bytes(ip) : Buffer.from(ip.split('.').map(Number));
  const head = Buffer.from([0xc0, headerBytes, 0, type, 0, 1, 0, 0, 0, 1, 0, address.length]);
  return Buffer.concat([head, address]);
}

function ipv6Bytes(ip: string): Buffer {
  const [before = [], after = []] = ip
    .split('::')
    .map((half) => half.split(':').filter((group) => group !== ''));
  const between = Array.from({ length: 8 - before.length - after.length }, () => '0');
  return Buffer.from(
    [...before, ...between, ...after].map((group) => group.padStart(4, '0')).join(''),
    'hex',
  );
}

import { eventually } from '../support/eventually.ts';
import type { TestNode } from '../cluster/node.ts';
import { image } from './install.ts';

/** The port, of TCP and of UDP, that every backend serves. */
export const backendPort = 8080;

/** A Pod that sends its name and then echoes, and answers datagrams with its name and their content. */
export type Backend = { readonly name: string; readonly ipv4: string; readonly ipv6: string };

// Runs in the Pod, on the Node.js of our image.
const script = `
  const name = process.env.NAME;
  require('node:net').createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => undefined);
    socket.write(name + '\\n');
    socket.pipe(socket);
  }).listen(${String(backendPort)}, '::');
  const udp = require('node:dgram').createSocket('udp6');
  udp.on('message', (message, { port, address }) => udp.send(name + ' ' + message, port, address));
  udp.bind(${String(backendPort)}, '::');
  process.on('SIGTERM', () => process.exit(0));
`;

/** Starts a backend and resolves when its Pod is ready and has both addresses. */
export async function startBackend(node: TestNode, namespace: string, name: string): Promise<Backend> {
  const pods = `/api/v1/namespaces/${namespace}/pods`;
  await eventually(`Pod ${name} made`, async () => {
    const { status } = await node.request('POST', pods, pod(name)); // rejected until its service account exists
    return status === 201 || status === 409;
  });
  return eventually(`Pod ${name} ready`, async () => {
    const { status } = (await node.request('GET', `${pods}/${name}`)).json() as PodStatus;
    const [ipv4, ipv6] = (status.podIPs ?? []).map(({ ip }) => ip);
    const ready = status.containerStatuses?.every((container) => container.ready) ?? false;
    return ready && ipv4 !== undefined && ipv6 !== undefined && { name, ipv4, ipv6 };
  });
}

type PodStatus = {
  readonly status: {
    readonly podIPs?: readonly { readonly ip: string }[];
    readonly containerStatuses?: readonly { readonly ready: boolean }[];
  };
};

function pod(name: string): unknown {
  const metadata = { name, labels: { app: name } };
  return { apiVersion: 'v1', kind: 'Pod', metadata, spec: backendPod(name) };
}

/** The spec of a backend's Pod. @param more  further fields of its container. */
export function backendPod(name: string, more: object = {}): object {
  return {
    automountServiceAccountToken: false,
    securityContext: { runAsNonRoot: true, runAsUser: 65_532, seccompProfile: { type: 'RuntimeDefault' } },
    containers: [
      {
        name: 'backend',
        image,
        command: ['node', '-e', script],
        env: [{ name: 'NAME', value: name }],
        readinessProbe: { tcpSocket: { port: backendPort }, periodSeconds: 1 },
        securityContext: {
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        },
        ...more,
      },
    ],
  };
}

import type { EndpointStatus, RelayStatus } from '../../src/relay/admin/status.ts';
import { connectionBounds, dialBounds, noCounts } from '../../src/relay/stats/histogram.ts';
import type { Traffic } from '../../src/relay/stats/traffic.ts';
import type { RemoteHealth } from '../../src/relay/upstream/remote-health.ts';

/** The traffic of an endpoint that has had none. */
export const noTraffic: Traffic = {
  active: 0,
  max: 0,
  total: 0,
  failed: { client: 0, upstream: 0, relay: 0 },
  fromClientBytes: 0,
  fromUpstreamBytes: 0,
};

const none = { connections: 0, associations: 0 };

/** The status of an endpoint that is ready and has no remotes, with `fields`. */
export function endpointStatus(fields: Partial<EndpointStatus> = {}): EndpointStatus {
  return {
    name: 'web',
    listen: '[::]:443',
    families: ['IPv6'],
    protocols: ['TCP'],
    ready: true,
    required: true,
    message: '',
    sockets: [],
    remotes: [],
    balance: 'off',
    transport: '',
    transportProblem: '',
    health: { TCP: [], UDP: [] },
    connections: noTraffic,
    associations: noTraffic,
    limits: { connections: 0, connectionsPerClient: 0, waiting: 0 },
    waiting: 0,
    refused: none,
    notAllowed: none,
    tooManyOfClient: none,
    looped: none,
    backendRefused: none,
    probes: 0,
    evicted: 0,
    dialTime: noCounts(dialBounds),
    connectionTime: noCounts(connectionBounds),
    ...fields,
  };
}

/** The health of a remote that has had no client, with `fields`. */
export function remoteHealth(address: string, fields: Partial<RemoteHealth> = {}): RemoteHealth {
  return {
    address,
    state: 'healthy',
    healthy: true,
    reason: '',
    active: 0,
    dials: 0,
    failed: 0,
    fromClientBytes: 0,
    fromUpstreamBytes: 0,
    lastCheck: null,
    lastFailure: null,
    ...fields,
  };
}

/** The status of a relay that is ready, with `fields`. */
export function relayStatus(fields: Partial<RelayStatus> = {}): RelayStatus {
  return {
    asOf: '2026-01-01T00:00:00.000Z',
    version: '0.1.0',
    startedAt: '2026-01-01T00:00:00.000Z',
    relay: '',
    pod: '',
    engine: 'kernel',
    configHash: '',
    ready: true,
    draining: false,
    configProblem: '',
    descriptorsShort: 0,
    openFilesLimit: 1024,
    logLinesDropped: 0,
    memory: { budgetBytes: 1, usedBytes: 0, dropped: 0 },
    datagramsLost: 0,
    endpoints: [],
    recentErrors: [],
    ...fields,
  };
}

import { plainText } from '../lib/plain-text.ts';
import { isRecord } from '../lib/record.ts';
import { columns } from './columns.ts';

/** What `/status` of one relay answered, and when. */
export type RelaySample = {
  /** The Pod, or the address of the admin server. */
  readonly relay: string;
  /** undefined if it did not answer. */
  readonly status: unknown;
  /** In milliseconds, of a monotonic clock. */
  readonly atMs: number;
};

/** An endpoint of a sample, as far as it can be read: a tenant's image may answer with anything. */
type EndpointSample = {
  readonly name: string;
  readonly listen: string;
  readonly ready: boolean;
  readonly active: number;
  readonly associations: number;
  readonly waiting: number;
  readonly failed: number;
  readonly unhealthy: number;
  readonly fromClientBytes: number;
  readonly fromUpstreamBytes: number;
};

const head = [
  'RELAY',
  'ENDPOINT',
  'LISTENS ON',
  'STATE',
  'TCP',
  'UDP',
  'WAIT',
  'FAILED',
  'DOWN',
  'IN/s',
  'OUT/s',
];
const maxNameLength = 60;

/** The view of `samples`: a line for each endpoint, with its rates since the `previous` samples. */
export function topScreen(samples: readonly RelaySample[], previous: readonly RelaySample[]): string {
  const rows = samples.flatMap((sample) => {
    const before = previous.find(({ relay }) => relay === sample.relay);
    return relayRows(sample, before);
  });
  return `${columns([head, ...rows]).join('\n')}\n`;
}

function relayRows(sample: RelaySample, before: RelaySample | undefined): string[][] {
  const endpoints = endpointsOf(sample.status);
  if (endpoints === undefined) return [[sample.relay, '-', '-', 'NO ANSWER']];
  const known = new Map((endpointsOf(before?.status) ?? []).map((each) => [each.name, each]));
  const seconds = before === undefined ? 0 : (sample.atMs - before.atMs) / 1000;
  return endpoints.map((endpoint) => {
    const last = known.get(endpoint.name);
    const rate = (key: 'fromClientBytes' | 'fromUpstreamBytes'): string =>
      last === undefined || seconds <= 0 ? '-' : bytesText((endpoint[key] - last[key]) / seconds);
    const counts = [
      endpoint.active,
      endpoint.associations,
      endpoint.waiting,
      endpoint.failed,
      endpoint.unhealthy,
    ];
    return [
      sample.relay,
      endpoint.name,
      endpoint.listen,
      endpoint.ready ? 'ready' : 'NOT READY',
      ...counts.map(String),
      rate('fromClientBytes'),
      rate('fromUpstreamBytes'),
    ];
  });
}

function endpointsOf(status: unknown): EndpointSample[] | undefined {
  const endpoints = isRecord(status) ? status['endpoints'] : undefined;
  if (!Array.isArray(endpoints)) return undefined;
  return (endpoints as readonly unknown[]).filter(isRecord).map((endpoint) => {
    const { connections, associations, health } = endpoint;
    const [tcp, udp] = [fieldsOf(connections), fieldsOf(associations)];
    const failures = [...Object.values(fieldsOf(tcp['failed'])), ...Object.values(fieldsOf(udp['failed']))];
    return {
      name: plainText(String(endpoint['name']), maxNameLength),
      listen: plainText(String(endpoint['listen']), maxNameLength),
      ready: endpoint['ready'] === true,
      active: numberOf(tcp['active']),
      associations: numberOf(udp['active']),
      waiting: numberOf(endpoint['waiting']),
      failed: sum(failures),
      unhealthy: Object.values(fieldsOf(health)).flat().filter(isUnhealthy).length,
      fromClientBytes: sum([tcp['fromClientBytes'], udp['fromClientBytes']]),
      fromUpstreamBytes: sum([tcp['fromUpstreamBytes'], udp['fromUpstreamBytes']]),
    };
  });
}

function fieldsOf(value: unknown): Record<string, unknown> {
  return isRecord(value) ? value : {};
}

function numberOf(value: unknown): number {
  return typeof value === 'number' ? value : 0;
}

function sum(values: readonly unknown[]): number {
  return values.reduce<number>((total, value) => total + numberOf(value), 0);
}

function isUnhealthy(remote: unknown): boolean {
  return isRecord(remote) && remote['state'] === 'unhealthy';
}

const units = ['B', 'kB', 'MB', 'GB', 'TB'];

/** `12 kB`: at most four digits and a unit. */
function bytesText(bytes: number): string {
  let [value, unit] = [Math.max(0, bytes), 0];
  while (value >= 9999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${value.toFixed(0)} ${units[unit] ?? ''}`;
}

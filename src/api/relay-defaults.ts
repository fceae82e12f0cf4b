import type { Problem } from '../lib/problem.ts';
import { readWith } from '../lib/schema-reader.ts';
import { podTemplateProblems } from './pod-template-rules.ts';
import { resolvedPodTemplate } from './pod-template.ts';
import type { PodTemplate, Relay } from './relay.ts';
import { specSchema } from './schema/realm-relay.ts';

/** What relays have that do not say otherwise, by the choice of the platform. */
export type RelayDefaults = Pick<Relay, 'resources' | 'podTemplate'>;

const schema = specSchema.pick({ resources: true, podTemplate: true });

/**
 * Parses `document`: `resources` and `podTemplate`, as in the spec of a RealmRelay.
 *
 * @returns every problem, unknown keys included; the defaults if there is none.
 */
export function parseRelayDefaults(document: unknown): {
  readonly defaults?: RelayDefaults;
  readonly problems: readonly Problem[];
} {
  const { value, problems, warnings } = readWith(schema, document);
  if (value === undefined || warnings.length > 0) return { problems: [...problems, ...warnings] };
  const podTemplate = resolvedPodTemplate(value);
  const wrong = podTemplateProblems({ podTemplate, commonMetadata: { labels: {}, annotations: {} } });
  if (wrong.length > 0) return { problems: wrong.map(withoutSpec) };
  const { limits = {}, requests = {} } = value.resources ?? {};
  return { defaults: { podTemplate, resources: { limits, requests } }, problems: [] };
}

/** The rules name fields of a RealmRelay. */
function withoutSpec(problem: Problem): Problem {
  return { ...problem, path: problem.path.slice(1) };
}

/**
 * `relay` with the `defaults` for what it leaves out: field by field, labels and annotations key by key. An empty mapping or
 * list counts as left out, except that of topologySpreadConstraints, which turns them off.
 */
export function withDefaults(relay: Relay, { resources, podTemplate }: RelayDefaults): Relay {
  const { limits, requests } = relay.resources;
  return {
    ...relay,
    resources: {
      limits: isEmpty(limits) ? resources.limits : limits,
      requests: isEmpty(requests) ? resources.requests : requests,
    },
    podTemplate: podTemplateOver(podTemplate, relay.podTemplate),
  };
}

function podTemplateOver(defaults: PodTemplate, chosen: PodTemplate): PodTemplate {
  const given = Object.entries(chosen).filter(
    ([field, value]) => field === 'topologySpreadConstraints' || !isEmpty(value),
  );
  return {
    ...defaults,
    ...Object.fromEntries(given),
    labels: { ...defaults.labels, ...chosen.labels },
    annotations: { ...defaults.annotations, ...chosen.annotations },
  };
}

function isEmpty(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}

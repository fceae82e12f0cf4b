import { customResourceDefinition } from '../../src/api/crd.ts';
import type { RealmRelaySpec } from '../../src/api/schema/realm-relay.ts';
import { isRecord } from '../../src/lib/record.ts';
import type { ControlPlane } from '../cluster/control-plane.ts';
import { markPodsReady } from '../faults/pods.ts';
import { differences, type Snapshot, snapshot } from '../faults/snapshot.ts';
import { seeded } from '../fuzz/mutator.ts';
import { condition, Edge, spec as oneEndpoint, type Seen } from '../operator/edge.ts';
import { eventually } from '../support/eventually.ts';
import { JumpingClock } from '../support/jumping-clock.ts';
import { type Schema, SpecMutator } from './spec-mutator.ts';

/** What an exploration found. */
export type Exploration = {
  readonly edits: number;
  /** Edits that the API server refused. */
  readonly refused: number;
  /** Edits after which the relay was compared with a new one. */
  readonly compared: number;
  /** Edits that the API server took and the operator could not follow. The next one starts from the last good spec. */
  readonly bad: number;
  /** What was not as with a new relay: the number of the edit, its spec, and the differences. */
  readonly violations: readonly string[];
};

/** Its name is replaced in all texts, so it is no part of a word. */
const edited = 'xeditedx';
const stepMs = 5_000;
const patience = { timeoutMs: 60_000 };

/** The schema of a RealmRelay's spec, as the API server has it. */
function specSchema(): Schema {
  const { spec } = customResourceDefinition() as unknown as {
    spec: { versions: readonly { schema: { openAPIV3Schema: Schema } }[] };
  };
  return spec.versions[0]?.schema.openAPIV3Schema.properties?.['spec'] ?? {};
}

/**
 * Edits one RealmRelay again and again, by the schema of its CRD, and compares it each time with a new one of the same spec.
 *
 * @param count  how many edits.
 * @param onEdit  called after each edit with its number and the violations that it showed.
 */
export async function explore(
  controlPlane: ControlPlane,
  seed: number,
  count: number,
  onEdit: (edit: number, violations: readonly string[]) => void = () => undefined,
): Promise<Exploration> {
  const explorer = await Explorer.start(controlPlane);
  const mutator = new SpecMutator(seeded(seed));
  const schema = specSchema();
  const violations: string[] = [];
  const counts = { refused: 0, compared: 0, bad: 0 };
  let spec: unknown = oneEndpoint();
  try {
    for (let edit = 0; edit < count; edit += 1) {
      const next = recreating(mutator.mutate(schema, spec));
      const { outcome, found } = await explorer.tryOut(next, edit);
      counts[outcome] += 1;
      if (outcome === 'compared') spec = next; // the next edit leaves a bad state
      const shown =
        found.length === 0 ? [] : [`edit ${String(edit)}: ${found.join('; ')}: ${JSON.stringify(next)}`];
      violations.push(...shown);
      onEdit(edit, shown);
    }
    return { edits: count, ...counts, violations };
  } finally {
    await explorer.stop();
  }
}

/** A live Service has to be made anew for some edits, which is an edit's choice; here it is always allowed. */
function recreating(spec: unknown): unknown {
  if (!isRecord(spec)) return spec;
  const { service = {} } = spec;
  return isRecord(service) ? { ...spec, service: { ...service, recreatePolicy: 'WhenNeeded' } } : spec;
}

type Tried = { readonly outcome: 'refused' | 'compared' | 'bad'; readonly found: readonly string[] };

/** Two namespaces with an operator each: one relay is edited in the first, new ones are made in the second. */
class Explorer {
  readonly #old: Edge;
  readonly #new: Edge;
  readonly #clock = new JumpingClock();

  private constructor(old: Edge, fresh: Edge) {
    this.#old = old;
    this.#new = fresh;
    for (const edge of [old, fresh]) edge.clock = this.#clock;
  }

  static async start(controlPlane: ControlPlane): Promise<Explorer> {
    const edges = [
      new Edge(controlPlane, await controlPlane.namespace()),
      new Edge(controlPlane, await controlPlane.namespace()),
    ] as const;
    const explorer = new Explorer(...edges);
    for (const edge of edges) await edge.start();
    const metadata = { name: edges[0].namespace };
    await controlPlane.request('POST', '/api/v1/nodes', { apiVersion: 'v1', kind: 'Node', metadata }); // for DaemonSets
    return explorer;
  }

  async stop(): Promise<void> {
    for (const edge of [this.#old, this.#new]) {
      await edge.stop();
      await edge.controlPlane.request('DELETE', `/api/v1/namespaces/${edge.namespace}`);
    }
    await this.#old.controlPlane.request('DELETE', `/api/v1/nodes/${this.#old.namespace}`);
  }

  /** Gives the edited relay `spec`, and compares it with a new one. */
  async tryOut(spec: unknown, edit: number): Promise<Tried> {
    const name = `xnew${String(edit)}x`;
    if (!(await this.#apply(this.#old, edited, spec))) return { outcome: 'refused', found: [] };
    await this.#apply(this.#new, name, spec);
    try {
      const fresh = await this.#observed(this.#new, name);
      await this.#observed(this.#old, edited);
      if (!isGood(fresh)) return { outcome: 'bad', found: [] };
      const found = await this.#differences(name, spec);
      // Pods may be refused later: a new relay has none then, and the edited one keeps those of before.
      return isGood(await this.#observed(this.#new, name))
        ? { outcome: 'compared', found }
        : { outcome: 'bad', found: [] };
    } finally {
      await this.#new.write('DELETE', `realmrelays/${name}`);
    }
  }

  /** @returns whether the API server took it. */
  async #apply(edge: Edge, name: string, spec: unknown): Promise<boolean> {
    return edge.applyRelay(name, spec as RealmRelaySpec).then(
      () => true,
      () => false,
    );
  }

  /** Resolves once the operator has done what it can about the newest spec. */
  async #observed(edge: Edge, name: string): Promise<Seen> {
    return eventually(
      `${name} is observed`,
      async () => {
        const seen = await edge.find(`realmrelays/${name}`);
        this.#clock.jump(stepMs);
        return seen?.status?.observedGeneration === seen?.metadata.generation && seen;
      },
      patience,
    );
  }

  /** What is not the same of both relays, once they had the time to become so. */
  async #differences(name: string, spec: unknown): Promise<string[]> {
    let found: string[] = [];
    const [old, fresh] = [this.#old, this.#new];
    await eventually(
      'both relays are the same',
      async () => {
        await Promise.all([old, fresh].map((edge) => markPodsReady(edge.controlPlane, edge.namespace)));
        const [wanted, is] = await Promise.all([
          snapshot(fresh.controlPlane, fresh.namespace, name),
          snapshot(old.controlPlane, old.namespace, edited),
        ]);
        found = differences(wanted, is).filter(
          (difference, _, all) =>
            !isOfScale(difference, spec) &&
            !isOfHandover(difference, wanted) &&
            !isOfPrimaryFamily(difference, all, spec),
        );
        if (found.length > 0) this.#clock.jump(stepMs);
        return found.length === 0;
      },
      patience,
    ).catch(() => undefined);
    return found;
  }
}

/** The number of Pods is the autoscaler's where there is one, and is kept when it comes. */
function isOfScale(difference: string, spec: unknown): boolean {
  const isAutoscaled = isRecord(spec) && spec['autoscaling'] !== undefined;
  return isAutoscaled && /replicas|Pods/i.test(difference);
}

/** A Deployment serves until the Pods of the DaemonSet that follows it do, so it stays while no node matches. */
function isOfHandover(difference: string, wanted: Snapshot): boolean {
  const fresh = JSON.stringify(wanted['realmrelays/RELAY']);
  return difference === 'deployments/RELAY is left over' && fresh.includes('"NoMatchingNodes"');
}

/** A live Service keeps the order of its two families where the spec names none: its primary family cannot change. */
function isOfPrimaryFamily(difference: string, all: readonly string[], spec: unknown): boolean {
  const service = isRecord(spec) && spec['service'];
  const isChosen = isRecord(service) && service['ipFamilies'] !== undefined;
  const ofFamilies = all.filter((one) => one.startsWith('services/RELAY spec ipFamilies '));
  return !isChosen && ofFamilies.length === 2 && ofFamilies.includes(difference);
}

/** Whether all that the spec asks for is applied. */
function isGood(relay: Seen): boolean {
  return condition(relay, 'Programmed')?.status === 'True' && condition(relay, 'Stalled')?.status !== 'True';
}

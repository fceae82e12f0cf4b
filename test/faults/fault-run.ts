import { randomBytes } from 'node:crypto';
import { Edge } from '../operator/edge.ts';
import type { FaultProxy } from '../operator/fault-proxy.ts';
import { eventually } from '../support/eventually.ts';
import { JumpingClock } from '../support/jumping-clock.ts';
import { steadyFor } from '../support/steady.ts';
import { calmRunOf, type CalmRun, contents, type Outcome, unlikeContents, unlikeWrites } from './calm-run.ts';
import { FaultPlan } from './fault-plan.ts';
import { markPodsReady } from './pods.ts';
import type { Place } from './place.ts';
import type { Scenario } from './scenarios.ts';
import { isWrite, type Snapshot } from './snapshot.ts';

/** The time that passes for the operator between two looks at the cluster. */
const stepMs = 5_000;
/** How often the cluster has to look the same in a row to be settled. */
const settledLooks = 15;
/** In an outage the API server is away for three minutes: from the second step on, and for so many steps. */
const outage = { from: 2, steps: 36 };
/** Watches stall at each fourth step, as long as a bad day lasts. */
const stall = { each: 4, until: 40 };
const patience = { timeoutMs: 120_000 };
const rests = 10;
const restMs = 60_000;

/** Runs `scenario` without a fault. */
export async function calmRun(place: Place, scenario: Scenario): Promise<CalmRun> {
  const run = await Run.start(place, scenario);
  try {
    await (scenario.slowly ?? scenario.run)(run);
    return calmRunOf(run, await run.settled());
  } finally {
    await run.end();
  }
}

/** Runs `scenario` with the faults of `plan`, one of `planNames`, by `seed`. */
export async function faultyRun(
  place: Place,
  scenario: Scenario,
  { calm, plan, seed }: { readonly calm: CalmRun; readonly plan: string; readonly seed: number },
): Promise<Outcome> {
  const run = await Run.start(place, scenario, { name: plan, seed });
  try {
    await scenario.run(run);
    run.endFaults();
    const unlike = [...(await unlikeContents(run, calm)), ...unlikeWrites(run, calm)];
    return { faults: run.faults, violations: [...unlike, ...(await run.writesAtRest())] };
  } catch (error) {
    return { faults: run.faults, violations: [String(error)] };
  } finally {
    run.endFaults();
    await run.end();
  }
}

/** An operator in this process, whose clock jumps ahead. */
class Run {
  readonly edge: Edge;
  readonly proxy: FaultProxy;
  readonly #clock = new JumpingClock();
  #plan: FaultPlan | undefined;
  #name = '';
  #steps = 0;
  #faults = 0;
  #isEnding = false;
  #restarting: Promise<void> | undefined;

  private constructor(edge: Edge, proxy: FaultProxy) {
    this.edge = edge;
    this.proxy = proxy;
    edge.clock = this.#clock;
  }

  /** Starts the operator, under the faults of `plan`. */
  static async start(
    place: Place,
    { underLease = false }: Scenario,
    plan?: { readonly name: string; readonly seed: number },
  ): Promise<Run> {
    const proxy = await place.proxy();
    const namespace = await place.controlPlane.namespace();
    const run = new Run(new Edge(place.controlPlane, namespace, () => place.kubeConfig(proxy)), proxy);
    if (underLease) {
      const identity = randomBytes(4).toString('hex');
      run.edge.lease = { namespace, name: 'realm-operator', identity, durationMs: 15_000 };
    }
    if (plan !== undefined) await run.#setPlan(plan);
    await run.#startOperator();
    return run;
  }

  get faults(): number {
    return this.#faults + (this.#plan?.count ?? 0);
  }

  readonly until = async (what: string, probe: () => Promise<boolean>): Promise<void> => {
    const look = async (): Promise<boolean> => {
      this.#step();
      await markPodsReady(this.edge.controlPlane, this.edge.namespace);
      return probe();
    };
    await eventually(what, look, patience);
  };

  readonly upgrade = async (relayImage: string): Promise<void> => {
    this.edge.platform = { ...this.edge.platform, relayImage };
    await this.#stopOperator();
    await this.#startOperator();
  };

  /** From now on there are no more faults. */
  endFaults(): void {
    this.#faults = this.faults;
    this.#plan = undefined;
    this.#name = '';
    this.proxy.fault = () => undefined;
    this.proxy.endSilence();
  }

  /** Resolves with what the namespace holds once that no longer changes. */
  async settled(): Promise<Snapshot> {
    const isSteady = steadyFor(settledLooks);
    let found: Snapshot = {};
    await this.until('the cluster is settled', async () => {
      found = await contents(this);
      return isSteady(JSON.stringify(found));
    });
    return found;
  }

  /** The writes of ten minutes in which nothing happens: there must be none. */
  async writesAtRest(): Promise<string[]> {
    await this.edge.idle();
    const before = this.proxy.answered.length;
    for (let rest = 0; rest < rests; rest += 1) {
      this.#clock.jump(restMs);
      await this.edge.idle();
    }
    const written = this.proxy.answered.slice(before).filter(isWrite);
    return written.map(({ method, url }) => `${method} ${url.pathname} is written at rest`);
  }

  async end(): Promise<void> {
    this.#isEnding = true;
    await this.#restarting;
    await this.#stopOperator();
    await this.proxy.stop();
    await this.edge.controlPlane.request('DELETE', `/api/v1/namespaces/${this.edge.namespace}`);
  }

  async #setPlan({ name, seed }: { readonly name: string; readonly seed: number }): Promise<void> {
    const path = `/api/v1/namespaces/${this.edge.namespace}/configmaps`;
    const { json } = await this.edge.controlPlane.request('GET', path);
    const { resourceVersion = '' } = (json() as { metadata: { resourceVersion?: string } }).metadata;
    const plan = new FaultPlan(name, seed, resourceVersion);
    this.#plan = plan;
    this.#name = name;
    this.proxy.fault = (request) => plan.fault(request, this.edge.namespace);
  }

  /** Starts the operator, and again whenever it has lost its lease, as a kubelet does. */
  async #startOperator(): Promise<void> {
    let [isReady, isLost] = [false, false];
    const ready = this.edge.start().then(() => {
      isReady = true;
    });
    const lost = this.edge.lost.then(() => {
      isLost = true;
    });
    await this.until('the operator is ready', () => Promise.resolve(isReady || isLost));
    if (isLost) return this.#restart();
    await ready;
    void lost.then(() => {
      if (!this.#isEnding) this.#restarting = this.#restart();
    });
  }

  async #restart(): Promise<void> {
    await this.#stopOperator();
    await this.#startOperator();
  }

  /** Time has to pass for an end that waits for the API server. */
  async #stopOperator(): Promise<void> {
    let isStopped = false;
    const stopped = this.edge.stop().then(() => {
      isStopped = true;
    });
    await this.until('the operator has ended', () => Promise.resolve(isStopped));
    await stopped;
  }

  /** No time passes for the operator while the API server works on its requests, however slow this machine is. */
  #step(): void {
    if (this.proxy.isWaiting) return;
    this.#steps += 1;
    if (this.#name === 'stalled watches' && this.#steps % stall.each === 0 && this.#steps < stall.until) {
      this.#faults += 1;
      this.proxy.stallWatches();
    }
    if (this.#name === 'outage' && this.#steps === outage.from) {
      this.#faults += 1;
      this.proxy.fault = () => 'cut';
      this.proxy.cutAll();
    }
    if (this.#name === 'outage' && this.#steps === outage.from + outage.steps)
      this.proxy.fault = () => undefined;
    this.#clock.jump(stepMs);
  }
}

import { Edge } from '../operator/edge.ts';
import type { Fault, FaultProxy, Passing } from '../operator/fault-proxy.ts';
import { OperatorProcess } from '../operator/operator-process.ts';
import { eventually } from '../support/eventually.ts';
import { steadyFor } from '../support/steady.ts';
import { calmRunOf, type CalmRun, contents, type Outcome, unlikeContents, unlikeWrites } from './calm-run.ts';
import { markPodsReady } from './pods.ts';
import type { Place } from './place.ts';
import type { Scenario } from './scenarios.ts';
import { isWrite } from './snapshot.ts';

/** Which writes are counted: those of objects and their status, or those of events and of the lease. */
export type WriteKind = 'objects' | 'events and leases';

/** Where the operator is killed: before or after the API server takes its write of this number, counted from 0. */
export type CrashPoint = {
  readonly kind: WriteKind;
  readonly write: number;
  readonly when: 'before' | 'after';
};

/** Both crash points of each write. */
export const crashMoments = ['before', 'after'] as const;

const patience = { timeoutMs: 120_000 };
/** How often no new write has to be seen in a row. */
const quietLooks = 20;
const relayImage = 'registry.example/realm-relay:test';

/** Runs `scenario` with an operator in a process of its own that nobody kills. `program` is its bundle; default its source. */
export async function calmProcessRun(place: Place, scenario: Scenario, program?: string): Promise<CalmRun> {
  const run = await CrashRun.start(place, scenario, { program });
  try {
    await (scenario.slowly ?? scenario.run)(run);
    await run.settled();
    return calmRunOf(run, await contents(run));
  } finally {
    await run.end();
  }
}

/**
 * Runs `scenario` with an operator that is killed (SIGKILL) at `crash` and started again.
 *
 * @returns undefined if the operator does not write so often.
 */
export async function crashRun(
  place: Place,
  scenario: Scenario,
  { calm, crash, program }: { readonly calm: CalmRun; readonly crash: CrashPoint; readonly program?: string },
): Promise<Outcome | undefined> {
  const run = await CrashRun.start(place, scenario, { program, crash });
  try {
    await scenario.run(run);
    const unlike = await unlikeContents(run, calm);
    await run.settled();
    const violations = [...unlike, ...unlikeWrites(run, calm)];
    return run.hasCrashed ? { faults: 1, violations } : undefined;
  } catch (error) {
    return { faults: 1, violations: [String(error)] };
  } finally {
    await run.end();
  }
}

type Choice = { readonly program: string | undefined; readonly crash?: CrashPoint };

/** An operator in a process of its own, which is killed at most once, and started again if it ends on its own. */
class CrashRun {
  readonly edge: Edge;
  readonly proxy: FaultProxy;
  readonly #flags: readonly string[];
  readonly #choice: Choice;
  readonly #counted = new Set<string>();
  #image = relayImage;
  #operator: OperatorProcess | undefined;
  #writes = 0;
  #hasCrashed = false;
  #isEnding = false;

  private constructor(edge: Edge, proxy: FaultProxy, { flags, choice }: { flags: string[]; choice: Choice }) {
    this.edge = edge;
    this.proxy = proxy;
    this.#flags = flags;
    this.#choice = choice;
    proxy.fault = (request) => this.#fault(request);
  }

  static async start(place: Place, { underLease = false }: Scenario, choice: Choice): Promise<CrashRun> {
    const proxy = await place.proxy();
    const edge = new Edge(place.controlPlane, await place.controlPlane.namespace());
    const lease = ['--leader-elect', `--lease-namespace=${edge.namespace}`, '--lease-seconds=5'];
    const flags = [
      `--kubeconfig=${place.kubeConfigFile(proxy)}`,
      `--namespace=${edge.namespace}`,
      ...(underLease ? lease : []),
    ];
    const run = new CrashRun(edge, proxy, { flags, choice });
    run.#startOperator();
    await run.#ready();
    return run;
  }

  get hasCrashed(): boolean {
    return this.#hasCrashed;
  }

  readonly until = async (what: string, probe: () => Promise<boolean>): Promise<void> => {
    const look = async (): Promise<boolean> => {
      await markPodsReady(this.edge.controlPlane, this.edge.namespace);
      return probe();
    };
    await eventually(what, look, patience);
    await this.#ready();
  };

  readonly upgrade = async (image: string): Promise<void> => {
    this.#image = image;
    const previous = this.#operator;
    previous?.kill('SIGTERM');
    await previous?.ended;
    await this.#ready();
  };

  /** Resolves once the operator writes nothing more. */
  async settled(): Promise<void> {
    const isSteady = steadyFor(quietLooks);
    await this.until('the operator writes nothing more', () =>
      Promise.resolve(isSteady(this.proxy.answered.filter(isWrite).length)),
    );
  }

  async end(): Promise<void> {
    this.#isEnding = true;
    await this.#operator?.end();
    await this.proxy.stop();
    await this.edge.controlPlane.request('DELETE', `/api/v1/namespaces/${this.edge.namespace}`);
  }

  #fault(request: Passing): Fault | undefined {
    const { crash } = this.#choice;
    if (crash === undefined || this.hasCrashed || !this.#isCounted(request, crash.kind)) return undefined;
    this.#writes += 1;
    if (this.#writes <= crash.write) return undefined;
    if (crash.when === 'before') {
      this.#crash();
      return 'cut';
    }
    this.proxy.onAnswer = ({ method, url }) => {
      if (method === request.method && url.pathname === request.url.pathname && !this.hasCrashed)
        this.#crash();
    };
    return 'lost answer';
  }

  /** Of the renewals of a lease, only the first counts: they never end. */
  #isCounted(request: Passing, kind: WriteKind): boolean {
    const isOfObject = isWrite(request);
    if (kind === 'objects' || isOfObject) return kind === 'objects' && isOfObject;
    const { method, url } = request;
    const name = `${method} ${url.pathname}`;
    if (method === 'GET' || this.#counted.has(name)) return false;
    if (url.pathname.includes('/leases')) this.#counted.add(name);
    return true;
  }

  #crash(): void {
    this.#hasCrashed = true;
    this.#operator?.kill('SIGKILL');
  }

  /** Starts the operator, and again whenever it ends, as a kubelet does. */
  #startOperator(): void {
    const { program } = this.#choice;
    const flags = [...this.#flags, `--relay-image=${this.#image}`];
    const operator = new OperatorProcess(flags, program === undefined ? {} : { program });
    this.#operator = operator;
    void operator.ended.then(() => {
      if (!this.#isEnding) this.#startOperator();
    });
  }

  async #ready(): Promise<void> {
    const isReady = (): boolean | undefined => this.#operator?.messages.includes('operator ready');
    await eventually('the operator is ready', isReady, patience);
  }
}

import { Edge } from '../operator/edge.ts';
import type { Fault, FaultProxy, Passing } from '../operator/fault-proxy.ts';
import { OperatorProcess } from '../operator/operator-process.ts';
import { eventually } from '../support/eventually.ts';
import type { CalmRun, Outcome } from './fault-run.ts';
import { markPodsReady } from './pods.ts';
import type { Place } from './place.ts';
import type { Scenario } from './scenarios.ts';
import { differences, isWrite, podTemplates, snapshot, writtenPaths } from './snapshot.ts';

/** Where the operator is killed: before or after the API server takes its write of this number, counted from 0. */
export type CrashPoint = { readonly write: number; readonly when: 'before' | 'after' };

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
    const found = await snapshot(run.edge.controlPlane, run.edge.namespace);
    const { answered } = run.proxy;
    return { found, paths: writtenPaths(answered, run.edge.namespace), templates: podTemplates(answered) };
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
    const violations = await run.disagreements(calm);
    return run.hasCrashed ? { faults: 1, violations } : undefined;
  } catch (error) {
    return { faults: 1, violations: [String(error)] };
  } finally {
    await run.end();
  }
}

type Choice = { readonly program: string | undefined; readonly crash?: CrashPoint };

/** An operator in a process of its own, which ends at most once by itself. */
class CrashRun {
  readonly edge: Edge;
  readonly proxy: FaultProxy;
  readonly #flags: readonly string[];
  readonly #choice: Choice;
  #image = relayImage;
  #operator: OperatorProcess | undefined;
  #writes = 0;
  #crashed: Promise<void> | undefined;

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
    await run.#startOperator();
    return run;
  }

  get hasCrashed(): boolean {
    return this.#crashed !== undefined;
  }

  readonly until = async (what: string, probe: () => Promise<boolean>): Promise<void> => {
    const look = async (): Promise<boolean> => {
      await markPodsReady(this.edge.controlPlane, this.edge.namespace);
      return probe();
    };
    await eventually(what, look, patience);
    await this.#crashed;
  };

  readonly upgrade = async (image: string): Promise<void> => {
    await this.#crashed;
    this.#operator?.kill('SIGTERM');
    await this.#operator?.ended;
    this.#image = image;
    await this.#startOperator();
  };

  /** Resolves once the operator writes nothing more. */
  async settled(): Promise<void> {
    let [last, looks] = [-1, 0];
    await this.until('the operator writes nothing more', () => {
      const count = this.proxy.answered.filter(isWrite).length;
      looks = count === last ? looks + 1 : 0;
      last = count;
      return Promise.resolve(looks >= quietLooks);
    });
  }

  /** What is not as in `calm`, once it has had the time to become so. */
  async disagreements(calm: CalmRun): Promise<string[]> {
    const { controlPlane, namespace } = this.edge;
    let found: string[] = [];
    await this.until('the cluster is as after the calm run', async () => {
      found = differences(calm.found, await snapshot(controlPlane, namespace));
      return found.length === 0;
    }).catch(() => undefined);
    await this.settled();
    const { answered } = this.proxy;
    const paths = [...writtenPaths(answered, namespace)].filter((path) => !calm.paths.has(path));
    const templates = [...podTemplates(answered)].filter((template) => !calm.templates.has(template));
    return [
      ...found,
      ...paths.map((path) => `${path} is not written in a calm run`),
      ...templates.map((template) => `Pods are replaced for ${template}`),
    ];
  }

  async end(): Promise<void> {
    await this.#crashed;
    await this.#operator?.end();
    await this.proxy.stop();
    await this.edge.controlPlane.request('DELETE', `/api/v1/namespaces/${this.edge.namespace}`);
  }

  #fault(request: Passing): Fault | undefined {
    const { crash } = this.#choice;
    if (crash === undefined || this.hasCrashed || !isWrite(request)) return undefined;
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

  #crash(): void {
    const ending = this.#operator?.end();
    this.#crashed = (async () => {
      await ending;
      await this.#startOperator();
    })();
  }

  async #startOperator(): Promise<void> {
    const { program } = this.#choice;
    const flags = [...this.#flags, `--relay-image=${this.#image}`];
    this.#operator = new OperatorProcess(flags, program === undefined ? {} : { program });
    await this.#operator.logged('operator ready');
  }
}

import { setTimeout as delay } from 'node:timers/promises';
import { startControlPlane } from '../test/cluster/control-plane.ts';
import { settledWrites } from '../test/operator/writes.ts';
import { GatewayCrowd, gatewayManifests } from './gateway-crowd.ts';
import { OperatorProcess } from './operator-process.ts';

/** How many Gateways are measured, with how many listeners each, beside how many EndpointSlices. */
export type GatewaySizes = { readonly gateways: number; readonly listeners: number; readonly slices: number };

type Report = (what: string, ...figures: readonly string[]) => void;
type Repeat = (measure: (index: number) => Promise<number>) => Promise<string>;

const quietProbes = 40;
const burstSeconds = 20;
const burstPerSecond = 50;

/** Measures an operator with Gateways on a control plane of its own, and what it costs without any. */
export async function measureGateways(
  { gateways, listeners, slices }: GatewaySizes,
  { row, repeated, restSeconds }: { row: Report; repeated: Repeat; restSeconds: number },
): Promise<void> {
  const manifests = ['crds/realmrelays.yaml', ...gatewayManifests()];
  const controlPlane = await startControlPlane({ manifests, controllerManager: false });
  const crowd = new GatewayCrowd(controlPlane.kubeconfig, await controlPlane.namespace());
  const operator = await OperatorProcess.start(controlPlane.kubeconfig);
  const atRest = async (): Promise<string> => {
    const [before, cpu] = [await settledWrites(controlPlane, quietProbes), operator.cpuSeconds];
    await delay(restSeconds * 1_000);
    const used = (operator.cpuSeconds - cpu).toFixed(2);
    const writes = (await settledWrites(controlPlane, quietProbes)) - before;
    return `${String(writes)} writes, ${used} CPU s; RSS ${operator.residentMb.toFixed(0)} MB`;
  };
  const taken = async (work: () => Promise<void>): Promise<string> => {
    const [startMs, cpu] = [performance.now(), operator.cpuSeconds];
    await work();
    const seconds = ((performance.now() - startMs) / 1_000).toFixed(1);
    return `${seconds} s, ${(operator.cpuSeconds - cpu).toFixed(1)} CPU s, RSS ${operator.residentMb.toFixed(0)} MB`;
  };
  try {
    await operator.ready();
    await crowd.start();
    await crowd.createSlices(slices);
    row(
      `**${String(slices)} EndpointSlices, no GatewayClass**: at rest, ${String(restSeconds)} s`,
      await atRest(),
    );
    await crowd.createClass();
    row(
      `**${String(gateways)} Gateways of ${String(listeners)} listeners**: created → all ConfigMaps are complete`,
      await taken(() => crowd.createGateways(gateways, listeners)),
    );
    row(`at rest, ${String(restSeconds)} s`, await atRest());
    row(
      'an endpoint changed → it is in the ConfigMap of its Gateway',
      await repeated((index) => crowd.changeEndpoint(index, listeners)),
    );
    await delay(1_500); // the least time between two configurations of a Gateway, so that this is another one's beginning
    row(
      `${String(burstPerSecond)} changed endpoints a second, ${String(burstSeconds)} s`,
      await taken(() => burst(crowd, gateways * listeners)),
    );
  } finally {
    await operator.stop();
    await crowd.stop();
    await controlPlane.stop();
  }
}

async function burst(crowd: GatewayCrowd, routed: number): Promise<void> {
  const everyMs = 1_000 / burstPerSecond;
  const writes: Promise<void>[] = [];
  for (let index = 0; index < burstSeconds * burstPerSecond; index += 1) {
    writes.push(crowd.patchSlice((index * 7) % routed, index + 1_000));
    await delay(everyMs);
  }
  await Promise.all(writes);
}

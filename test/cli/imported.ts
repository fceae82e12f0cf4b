import { expect } from 'chai';
import { loadAll } from 'js-yaml';
import type { RealmRelay } from '../../src/api/schema/realm-relay.ts';
import { runCli } from './cli.ts';

type Imported = { readonly relays: RealmRelay[]; readonly stderr: string };

/** Imports `text`, whose program has to be recognized; what is printed is valid. */
export async function imported(text: string, ...argv: readonly string[]): Promise<Imported> {
  const { code, stdout, stderr } = await runCli(['import', '-', ...argv], text);
  expect({ code, stderr }).to.have.property('code', 0);
  expect(await runCli(['validate', '-q', '-'], stdout)).to.have.property('code', 0);
  return { relays: loadAll(stdout) as RealmRelay[], stderr };
}

/** The endpoints of the RealmRelays that `text` becomes. */
export async function endpoints(text: string): Promise<RealmRelay['spec']['endpoints']> {
  return (await imported(text)).relays.flatMap(({ spec }) => spec.endpoints);
}

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { dump } from 'js-yaml';
import { apiReference } from '../src/api/api-reference.ts';
import {
  customResourceDefinition,
  gatewayParametersDefinition,
  trafficPolicyDefinition,
} from '../src/api/crd.ts';
import { chartFiles } from './chart.ts';
import { metricsReference } from './metrics.ts';
import { pageModules } from './page.ts';
import { valuesSchema } from './values-schema.ts';

const root = join(import.meta.dirname, '..');

/** The required text of every generated file, by its path in the repository. */
export function generatedFiles(): ReadonlyMap<string, string> {
  return new Map([
    ['crds/realmrelays.yaml', crd('realm-relay', customResourceDefinition())],
    ['crds/realmgatewayparameters.yaml', crd('gateway-parameters', gatewayParametersDefinition())],
    ['crds/realmtrafficpolicies.yaml', crd('traffic-policy', trafficPolicyDefinition())],
    ['docs/api.md', apiReference()],
    ['docs/metrics.md', metricsReference()],
    ...pageModules(),
    ...chartFiles(),
    ['charts/realm-operator/values.schema.json', valuesSchema()],
  ]);
}

/** @param source  the file in src/api/schema that `definition` is made of. */
function crd(source: string, definition: object): string {
  const header = `# Generated from src/api/schema/${source}.ts by \`make generate\`; do not edit.\n`;
  return header + dump(definition, { noRefs: true, lineWidth: 100 });
}

/** The generated files whose text on disk differs. */
export function staleFiles(): string[] {
  return [...generatedFiles()].filter(([path, text]) => textOf(path) !== text).map(([path]) => path);
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(join(root, path), 'utf8');
  } catch {
    return undefined; // it does not exist yet
  }
}

function write(): void {
  for (const [path, text] of generatedFiles()) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
}

if (import.meta.main) {
  if (!process.argv.includes('--check')) write();
  for (const path of staleFiles()) {
    process.stderr.write(`${path} is not what its source says: run "make generate"\n`);
    process.exitCode = 1;
  }
}

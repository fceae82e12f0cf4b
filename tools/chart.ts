import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { dump } from 'js-yaml';
import { customResourceDefinition } from '../src/api/crd.ts';
import { dashboards } from './dashboards.ts';

const root = join(import.meta.dirname, '..');
const chart = 'charts/realm-operator';
const labels = '  labels:\n    {{- include "realm-operator.labels" . | nindent 4 }}\n';
const keep =
  '  {{- if .Values.crds.keep }}\n  annotations:\n    helm.sh/resource-policy: keep\n  {{- end }}\n';

/** The files of the Helm chart that are made from others, by their path in the repository. */
export function chartFiles(): ReadonlyMap<string, string> {
  return new Map([
    [`${chart}/templates/crd.yaml`, crdTemplate()],
    [`${chart}/templates/admission-policy.yaml`, policyTemplate(text('config/admission/policy.yaml'))],
    [`${chart}/files/rules.yaml`, clusterRules(text('config/rbac.yaml'))],
    ...[...dashboards()].map(([file, json]) => [`${chart}/dashboards/${file}`, json] as const),
  ]);
}

function crdTemplate(): string {
  const { spec, ...head } = customResourceDefinition() as Record<string, unknown>;
  const body = escaped(dump({ spec }, { noRefs: true, lineWidth: 100 }));
  return whereCrds('src/api/schema/realm-relay.ts', `${dump(head)}${labels}${keep}${body}`);
}

function policyTemplate(manifests: string): string {
  return whereCrds(
    'config/admission/policy.yaml',
    escaped(manifests).replaceAll(/^metadata:\n {2}name: .*\n/gm, (metadata) => metadata + labels),
  );
}

/** Of the whole cluster, and so of one installation: CRD and policy hang on one value. */
function whereCrds(source: string, template: string): string {
  return `${generatedFrom(source)}{{- if .Values.crds.enabled }}\n${template}{{- end }}\n`;
}

function generatedFrom(source: string): string {
  return `{{- /* Generated from ${source} by \`make generate\`; do not edit. */ -}}\n`;
}

/** The text of the rules of the ClusterRole, without indentation. */
function clusterRules(manifests: string): string {
  const role = manifests.split(/^---\n/m).find((document) => /^kind: ClusterRole$/m.test(document));
  const rules = role?.split(/^rules:\n/m)[1];
  if (rules === undefined) throw new Error('config/rbac.yaml has no ClusterRole with rules');
  return `# Generated from config/rbac.yaml by \`make generate\`; do not edit.\n${rules.replaceAll(/^ {2}/gm, '')}`;
}

/** `yaml` as a template that renders it: braces are Helm's. */
function escaped(yaml: string): string {
  return yaml.replaceAll('{{', '{{ "{{" }}');
}

function text(path: string): string {
  return readFileSync(join(root, path), 'utf8');
}

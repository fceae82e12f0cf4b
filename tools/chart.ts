import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { dump } from 'js-yaml';
import {
  customResourceDefinition,
  gatewayParametersDefinition,
  trafficPolicyDefinition,
} from '../src/api/crd.ts';
import { chartReadme } from './chart-readme.ts';
import { dashboards } from './dashboards.ts';

const root = join(import.meta.dirname, '..');
const chart = 'charts/realm-operator';
const labels = '  labels:\n    {{- include "realm-operator.labels" . | nindent 4 }}\n';
const keep =
  '  {{- if .Values.crds.keep }}\n  annotations:\n    helm.sh/resource-policy: keep\n  {{- end }}\n';

/**
 * The CRD and the policies of RealmRelays are shared by the whole cluster, so one value lets a single installation own
 * them.
 */
const crds = '.Values.crds.enabled';
const policies = 'config/admission/policy.yaml';
const requester = 'config/admission/requester.yaml';
const operator = 'config/admission/operator.yaml';

/** The templates of the CEL variables in the policy of requesters, from values of the chart. */
const requesterVariables = {
  allowedKeyPrefixes: celList(
    'prepend (.Values.admission.requester.allowedKeyPrefixes | default list) "realm-operator.dev/"',
  ),
  allowedPriorityClasses: celList('.Values.admission.requester.allowedPriorityClasses | default list'),
  allowedTolerations: celList('.Values.admission.requester.allowedTolerations | default list'),
};

/** The generated files of the Helm chart, by their path in the repository. */
export function chartFiles(): ReadonlyMap<string, string> {
  return new Map([
    [`${chart}/templates/crd.yaml`, crdTemplate('realm-relay', customResourceDefinition())],
    [
      `${chart}/templates/gateway-parameters-crd.yaml`,
      crdTemplate('gateway-parameters', gatewayParametersDefinition()),
    ],
    [`${chart}/templates/traffic-policy-crd.yaml`, crdTemplate('traffic-policy', trafficPolicyDefinition())],
    [`${chart}/templates/admission-policy.yaml`, renderedIf(crds, policies, policyTemplate(policies))],
    [`${chart}/templates/admission-requester.yaml`, requesterTemplate()],
    [`${chart}/templates/admission-operator.yaml`, operatorTemplate()],
    [`${chart}/files/rules.yaml`, clusterRules('realm-operator')],
    [`${chart}/files/gateway-rules.yaml`, clusterRules('realm-operator-gateways')],
    [`${chart}/files/gateway-class-rules.yaml`, clusterRules('realm-operator-classes')],
    [`${chart}/README.md`, chartReadme()],
    ...[...dashboards()].map(([file, json]) => [`${chart}/dashboards/${file}`, json] as const),
  ]);
}

/** @param source  the file in src/api/schema that `definition` is made of. */
function crdTemplate(source: string, definition: object): string {
  const { spec, metadata, ...head } = definition as Record<string, unknown> & { metadata: Metadata };
  const { labels: own = {}, ...named } = metadata;
  const body = escaped(dump({ spec }, { noRefs: true, lineWidth: 100 }));
  const ownLabels = Object.entries(own).map(([key, value]) => `    ${key}: ${value}\n`);
  const top = `${dump({ ...head, metadata: named })}${labels}${ownLabels.join('')}`;
  return renderedIf(crds, `src/api/schema/${source}.ts`, `${top}${keep}${body}`);
}

type Metadata = { readonly name: string; readonly labels?: Readonly<Record<string, string>> };

function requesterTemplate(): string {
  const template = withVariables(policyTemplate(requester), requesterVariables);
  return renderedIf('and .Values.crds.enabled .Values.admission.requester.enabled', requester, template);
}

/** Each installation has its own: the names contain the service account, which is unique. */
function operatorTemplate(): string {
  const account = '{{ include "realm-operator.serviceAccountName" . }}';
  const namespace = '{{ .Release.Namespace }}';
  const template = withVariables(policyTemplate(operator), {
    hostNetworkEverywhere: '{{ .Values.admission.operator.hostNetwork | default false | quote }}',
    servesGateways: '{{ include "realm-operator.servesGateways" . | quote }}',
  })
    .replaceAll('realm-operator-system:realm-operator', `${namespace}:${account}`)
    .replaceAll('realm-operator.realm-operator-system.operator', `${account}.${namespace}.operator`);
  return renderedIf('.Values.admission.operator.enabled', operator, template);
}

/** The policy of `path` and its binding, with the chart's labels. */
function policyTemplate(path: string): string {
  return escaped(text(path)).replaceAll(/^metadata:\n {2}name: .*\n/gm, (metadata) => metadata + labels);
}

/** `template` with the expressions of `variables`. @throws Error if the template lacks one of the variables. */
function withVariables(template: string, variables: Readonly<Record<string, string>>): string {
  return Object.entries(variables).reduce((before, [name, expression]) => {
    const after = before.replace(
      new RegExp(`(- name: ${name}\\n +expression: ).*`),
      (_, head: string) => head + expression,
    );
    if (after === before) throw new Error(`no variable ${name} in an admission policy`);
    return after;
  }, template);
}

/** A template that renders the Helm list `values` as a CEL list. */
function celList(values: string): string {
  return `{{ ${values} | toJson | squote }}`;
}

/** The file for `template`, generated from `source`; Helm renders it if `condition` is true. */
function renderedIf(condition: string, source: string, template: string): string {
  return `${generatedFrom(source)}{{- if ${condition} }}\n${template}{{- end }}\n`;
}

function generatedFrom(source: string): string {
  return `{{- /* Generated from ${source} by \`make generate\`; do not edit. */ -}}\n`;
}

/** The text of the rules of the ClusterRole `name`, without indentation. */
function clusterRules(name: string): string {
  const documents = text('config/rbac.yaml').split(/^---\n/m);
  const role = documents.find(
    (document) => /^kind: ClusterRole$/m.test(document) && document.includes(`\n  name: ${name}\n`),
  );
  const rules = role?.split(/^rules:\n/m)[1];
  if (rules === undefined) throw new Error(`config/rbac.yaml has no ClusterRole ${name} with rules`);
  return `# Generated from config/rbac.yaml by \`make generate\`; do not edit.\n${rules.replaceAll(/^ {2}/gm, '')}`;
}

/** `yaml` as a template that renders it, with braces escaped. */
function escaped(yaml: string): string {
  return yaml.replaceAll('{{', '{{ "{{" }}');
}

function text(path: string): string {
  return readFileSync(join(root, path), 'utf8');
}

import type { AuditEvent, TestNode } from '../cluster/node.ts';
import { kubectl, operatorNamespace } from './install.ts';

type Rule = {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
};

/** The rights that a ClusterRole grants, each as `verb group/resource`. */
export async function grantedRights(node: TestNode, clusterRole: string): Promise<ReadonlySet<string>> {
  const { rules } = JSON.parse(await kubectl(node, ['get', 'clusterrole', clusterRole, '--output=json'])) as {
    rules: readonly Rule[];
  };
  const rights = rules.flatMap(({ apiGroups, resources, verbs }) =>
    apiGroups.flatMap((group) =>
      resources.flatMap((resource) => verbs.map((verb) => `${verb} ${group}/${resource}`)),
    ),
  );
  return new Set(rights);
}

/** The rights that the operator has used so far. */
export function usedRights(node: TestNode): ReadonlySet<string> {
  return new Set(requests(node).map(right));
}

/** Requests of the operator that were forbidden; a namespace that is being deleted answers 403, too. */
export function forbiddenRequests(node: TestNode): readonly string[] {
  const forbidden = requests(node).filter(
    ({ annotations }) => annotations?.['authorization.k8s.io/decision'] === 'forbid',
  );
  return [...new Set(forbidden.map(({ verb, requestURI }) => `${verb} ${requestURI}`))];
}

function requests(node: TestNode): readonly AuditEvent[] {
  return node
    .auditLog(operatorNamespace, 'realm-operator')
    .filter(({ objectRef }) => objectRef !== undefined);
}

function right({ verb, objectRef }: AuditEvent): string {
  const { apiGroup = '', resource = '', subresource } = objectRef ?? {};
  return `${verb} ${apiGroup}/${subresource === undefined ? resource : `${resource}/${subresource}`}`;
}

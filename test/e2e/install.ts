import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestNode } from '../cluster/node.ts';

const root = join(import.meta.dirname, '..', '..');
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };

/** The tag of the image on the node. */
export const imageTag = version;

/** The image of both programs. */
export const image = `ghcr.io/realm-operator/realm-operator:${imageTag}`;

/** The archive that `make image` writes. */
export const imageArchive = join(root, 'dist', 'image', 'realm-operator.tar');

/** The namespace of the operator. */
export const operatorNamespace = 'realm-operator-system';

/** Installs the operator as a user does, and resolves when it is Available. */
export async function installOperator(node: TestNode): Promise<void> {
  await kubectl(node, ['apply', '-k', join(root, 'config')]);
  const wait = ['wait', '--for=condition=Available', 'deployment/realm-operator', '--timeout=90s'];
  await kubectl(node, ['-n', operatorNamespace, ...wait]);
}

/**
 * Runs kubectl, which must succeed.
 *
 * @returns its standard output.
 * @throws Error with its output.
 */
export async function kubectl(node: TestNode, args: readonly string[], stdin?: string): Promise<string> {
  const { stdout, stderr, code } = await node.kubectl(args, stdin);
  if (code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${stderr.trim()}`);
  return stdout;
}

/** Prints information about a failure: logs and state of the operator in `home` and of the relays in `relays`. */
export async function printDiagnosis(
  node: TestNode,
  relays: string,
  home = operatorNamespace,
): Promise<void> {
  const commands = [
    ['get', 'pods', '--all-namespaces', '--output=wide'],
    ['-n', home, 'describe', 'pods'],
    ['-n', home, 'logs', 'deployment/realm-operator', '--tail=100'],
    ['-n', relays, 'describe', 'realmrelays,deployments,services,pods'],
    [
      '-n',
      relays,
      'logs',
      '--selector=app.kubernetes.io/managed-by=realm-operator',
      '--tail=100',
      '--prefix',
    ],
    ['-n', relays, 'get', 'events', '--sort-by=.metadata.creationTimestamp'],
  ];
  for (const args of commands) {
    const { stdout, stderr } = await node.kubectl(args);
    process.stdout.write(`--- kubectl ${args.join(' ')}\n${stdout}${stderr}\n`);
  }
}

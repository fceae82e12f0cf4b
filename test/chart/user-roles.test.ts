import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { describeWithCluster } from '../cluster/shared.ts';
import { eventually } from '../support/eventually.ts';

const manifest = readFileSync(join(import.meta.dirname, '..', '..', 'config', 'user-roles.yaml'), 'utf8');

describeWithCluster('config: roles of users', (cluster) => {
  const namespace = 'test-user-roles';
  const roles = ['view', 'edit', 'admin'] as const;

  async function kubectl(args: readonly string[], stdin = ''): Promise<{ stdout: string; code: number }> {
    const { stdout, code } = await cluster().kubectl(args, stdin);
    return { stdout: stdout.trim(), code };
  }

  before('make a user with each role', async () => {
    await kubectl(['create', 'namespace', namespace]);
    expect((await kubectl(['apply', '--server-side', '--filename', '-'], manifest)).code).to.equal(0);
    for (const role of roles)
      await kubectl([
        'create',
        'rolebinding',
        role,
        `--clusterrole=${role}`,
        `--user=${role}-user`,
        '--namespace',
        namespace,
      ]);
  });

  /** What kubectl answers: yes or no. */
  const can = async (role: string, verb: string, what: string, where = namespace): Promise<string> =>
    (await kubectl(['auth', 'can-i', verb, ...resource(what), '--as', `${role}-user`, '--namespace', where]))
      .stdout;

  const allowed = [
    ['view', 'get', 'realmrelays.realm-operator.dev'],
    ['view', 'watch', 'realmrelays.realm-operator.dev'],
    ['edit', 'create', 'realmrelays.realm-operator.dev'],
    ['edit', 'patch', 'realmrelays.realm-operator.dev/scale'],
    ['edit', 'get', 'realmrelays.realm-operator.dev'],
    ['admin', 'delete', 'realmrelays.realm-operator.dev'],
    ['admin', 'list', 'realmrelays.realm-operator.dev'],
  ] as const;
  for (const [role, verb, what] of allowed) {
    it(`let whoever has ${role} in a namespace ${verb} ${what} there`, async () => {
      // A controller of the cluster adds the rules to the role.
      await eventually(`${role} may ${verb}`, async () => (await can(role, verb, what)) === 'yes');
      expect(await can(role, verb, what, 'default')).to.match(/^no/);
    });
  }

  const denied = [
    ['view', 'create', 'realmrelays.realm-operator.dev'],
    ['view', 'patch', 'realmrelays.realm-operator.dev/scale'],
    ['edit', 'patch', 'realmrelays.realm-operator.dev/status'],
    ['admin', 'patch', 'realmrelays.realm-operator.dev/status'],
  ] as const;
  for (const [role, verb, what] of denied) {
    it(`do not let ${role} ${verb} ${what}`, async () => {
      await eventually(
        'the aggregation',
        async () => (await can(role, 'get', 'realmrelays.realm-operator.dev')) === 'yes',
      );
      expect(await can(role, verb, what)).to.match(/^no/);
    });
  }
});

/** The arguments for a resource, with its subresource, if any. */
function resource(what: string): string[] {
  const [name = '', subresource] = what.split('/');
  return subresource === undefined ? [name] : [name, `--subresource=${subresource}`];
}

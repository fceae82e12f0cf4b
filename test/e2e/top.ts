import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { expect } from 'chai';
import { startCli } from '../cli/cli.ts';
import type { TestNode } from '../cluster/node.ts';
import { run } from '../cluster/run.ts';
import { eventually } from '../support/eventually.ts';
import { greet } from './client.ts';

const root = join(import.meta.dirname, '..', '..');

/** A relay of which a Pod, `pod/NAME`, serves one endpoint at `address`:`port`. */
type Served = {
  readonly namespace: string;
  readonly pod: string;
  readonly address: string;
  readonly port: number;
};

/** Expects `top` to show the bytes and the connection of a client of the Pod, also as a plugin of kubectl. */
export async function expectTop(node: TestNode, { namespace, pod, address, port }: Served): Promise<void> {
  const { socket } = await greet(address, port);
  socket.resume();
  const sending = setInterval(() => socket.write('x'.repeat(10_000)), 50);
  const flags = ['--cluster', '--kubeconfig', node.kubeconfig, '--namespace', namespace];
  const top = startCli(['top', ...flags, '--interval', '1']);
  const line = (rates: string): RegExp =>
    new RegExp(
      `^${namespace}/${pod.replace('pod/', '')} +\\S+ +\\S+:${String(port)} +ready +1 +0 +0 +\\d+ +0 +${rates}$`,
      'm',
    );
  try {
    await eventually('rates of the client in top', () => {
      expect(`${top.stdout()}${top.stderr()}`).to.match(line('[1-9]\\d* k?B +[1-9]\\d* k?B'));
      return true;
    });
    expect(await pluginTop(node, namespace)).to.match(line('- +-'));
  } finally {
    clearInterval(sending);
    socket.destroy();
    expect(await top.end()).to.equal(0);
  }
}

/** What `kubectl realm top --once` prints, with the plugin in PATH. */
async function pluginTop(node: TestNode, namespace: string): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'realm-plugin-'));
  try {
    copyFileSync(join(root, 'bin', 'kubectl-realm'), join(folder, 'kubectl-realm'));
    const program = `#!/bin/sh\nexec '${process.execPath}' '${join(root, 'dist', 'realm-operator.js')}' "$@"\n`;
    writeFileSync(join(folder, 'realm-operator'), program, { mode: 0o755 });
    const env = { PATH: [folder, process.env['PATH'] ?? ''].join(delimiter) };
    // Flags before the name of a plugin are not allowed.
    const flags = ['--once', '--kubeconfig', node.kubeconfig, '--namespace', namespace];
    const kubectl = [join(root, 'test', 'cluster', 'bin', 'kube'), 'kubectl'] as const;
    const { code, stdout, stderr } = await run([...kubectl, 'realm', 'top', ...flags], { env });
    expect({ code, stderr }).to.deep.equal({ code: 0, stderr: '' });
    return stdout;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

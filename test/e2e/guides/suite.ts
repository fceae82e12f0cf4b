import { spawnSync } from 'node:child_process';
import { copyFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Block } from '../../../tools/docs/blocks.ts';
import { type Page, readPages } from '../../../tools/docs/pages.ts';
import { Helm } from '../../cluster/helm.ts';
import { startNode, type TestNode } from '../../cluster/node.ts';
import { ClusterDns } from '../full/cluster-dns.ts';
import { imageArchive, kubectl, printDiagnosis } from '../install.ts';
import { Balancer } from './balancer.ts';
import { curlImage } from './curl-image.ts';
import { Guide } from './guide.ts';
import { scenes, type Scene } from './scenes.ts';
import { Servers } from './servers.ts';

const root = join(import.meta.dirname, '..', '..', '..');
/** The image of the client in examples/cluster/web.yaml. */
const curl = 'docker.io/curlimages/curl:8.11.1';
const title = 'the commands of the documentation';

/** Pages that install the operator themselves. */
const entrances = ['README.md', 'docs/quickstart.md'];
/** They end without an operator, or with one whose image does not exist. */
const last = ['docs/upgrade.md', 'charts/realm-operator/README.md'];

/** The pages with commands that no test of their own runs, in the order in which they run on one node. */
export function guides(): { readonly first: readonly Page[]; readonly others: readonly Page[] } {
  const pages = readPages(root).filter(({ blocks }) => blocks.some(isCommand));
  const first = pages.filter(({ path }) => entrances.includes(path));
  const rest = pages.filter((page) => !first.includes(page));
  const isLast = ({ path }: Page): boolean => last.includes(path);
  return { first, others: [...rest.filter((page) => !isLast(page)), ...rest.filter(isLast).toReversed()] };
}

/** Commands of a block that names its test are run there. */
function isCommand({ language, attributes }: Block): boolean {
  return language === 'sh' && attributes['tested-by'] === undefined;
}

/** Runs the commands of `pages` as they are printed, on a node, and compares what they print with what the pages show. */
export function describeGuides(pages: readonly Page[]): void {
  describe(title, () => {
    let node: TestNode;
    let balancer: Balancer;
    let dns: ClusterDns;

    before('start a node', async () => {
      // `make run` of a page would install it, for which there is no network here.
      if (spawnSync('make', ['--question', 'node_modules'], { cwd: root }).status !== 0) {
        throw new Error('node_modules is older than package.json: run `make build` first');
      }
      const archive = await curlImage(curl);
      node = await startNode([imageArchive, archive]);
      rmSync(dirname(archive), { recursive: true });
      dns = await ClusterDns.start(node);
      balancer = new Balancer(node);
    });

    after('stop the node', async () => {
      await (balancer as Balancer | undefined)?.stop(); // undefined if it never started, as with the others
      await (dns as ClusterDns | undefined)?.stop();
      await (node as TestNode | undefined)?.stop();
    });

    for (const page of pages) describePage(() => node, page);
  });
}

function describePage(node: () => TestNode, page: Page): void {
  const scene = scenes[page.path];
  const missing = Object.entries(scene?.needs ?? {})
    .filter(([, command]) => spawnSync('sh', ['-c', command]).status !== 0)
    .map(([debianPackage]) => debianPackage);
  const suite = pageSuite(node, page, scene);
  if (missing.length === 0) describe(page.path, suite);
  else describe.skip(`${page.path} (skipped: install ${missing.join(', ')})`, suite);
}

function pageSuite(node: () => TestNode, page: Page, scene: Scene | undefined): () => void {
  return () => {
    let guide: Guide;
    let servers: Servers;
    let namespace: string;

    before(async () => {
      servers = new Servers();
      namespace = await node().namespace();
      const kubeconfig = `${node().kubeconfig}-${namespace}`;
      copyFileSync(node().kubeconfig, kubeconfig);
      const context = ['config', 'set-context', '--current', '--namespace', namespace];
      await kubectl(node(), [...context, '--kubeconfig', kubeconfig]);
      guide = new Guide({ KUBECONFIG: kubeconfig });
      guide.prepare(page.blocks);
      if (!entrances.includes(page.path)) await installChart(node());
      await scene?.start(servers, guide.folder);
      guide.set(scene?.variables?.(servers) ?? {});
    });

    afterEach(async function () {
      if (this.currentTest?.state === 'failed') await printDiagnosis(node(), namespace);
    });

    after(async () => {
      await servers.stop();
      await (guide as Guide | undefined)?.stop();
      await node().kubectl(['delete', 'namespace', namespace, '--wait=false']);
    });

    for (const [index, block] of page.blocks.entries()) {
      const name = `line ${String(block.line)}: ${block.text.split('\n')[0] ?? ''}`;
      const next = page.blocks[index + 1];
      const output = next?.words.includes('output') === true ? next : undefined;
      if (isCommand(block)) it(name, () => guide.run(substituted(block, scene), output));
      if (block.language === 'event') it(name, () => eventOf(scene, block)(servers, guide));
    }
  };
}

function substituted(block: Block, scene: Scene | undefined): Block {
  let { text } = block;
  for (const [shown, own] of Object.entries(scene?.substitutes ?? {})) text = text.replaceAll(shown, own);
  return { ...block, text };
}

type Event = NonNullable<Scene['events']>[string];

function eventOf(scene: Scene | undefined, { page, text }: Block): Event {
  const event = scene?.events?.[text];
  if (event === undefined) throw new Error(`${page}: the scene has no event "${text}"`);
  return event;
}

/** Installs the operator as the README does, unless it is installed. */
async function installChart(node: TestNode): Promise<void> {
  const helm = new Helm();
  const flags = ['--namespace', 'realm-operator-system', '--kubeconfig', node.kubeconfig];
  try {
    if ((await helm.run(['status', 'realm-operator', ...flags])).code === 0) return;
    const path = join(root, 'charts', 'realm-operator');
    const install = ['install', 'realm-operator', path, '--create-namespace', '--wait', '--timeout', '90s'];
    await helm.runOrThrow([...install, ...flags]);
  } finally {
    helm.remove();
  }
}

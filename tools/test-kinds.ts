import { globSync } from 'node:fs';

/** Tests that run one after the other in one process, in parallel with other kinds. */
export type TestKind = {
  readonly title: string;
  /** Relative to the project's root. */
  readonly files: readonly string[];
  /** Whether they need the control plane of the test cluster. */
  readonly needsCluster: boolean;
};

type Patterns = Omit<TestKind, 'files'> & { readonly patterns: readonly string[] };

// The slowest come first, so that none of them is left over at the end.
const kinds: readonly Patterns[] = [
  {
    title: 'operator, on API servers of its own',
    needsCluster: true,
    patterns: [
      'test/operator/{adoption,bad-days,hanging-api-server,leader,outage,permissions,single-stack}.test.ts',
      'test/operator/gateway/*.test.ts',
    ],
  },
  {
    title: 'relay, as a program',
    needsCluster: false,
    patterns: [
      'test/relay/*.test.ts',
      'test/relay/{workers,command-line,handover,config-file,dns,rust-realm}/*.test.ts',
    ],
  },
  {
    title: 'operator, on an API server',
    needsCluster: true,
    patterns: ['test/operator/*.test.ts', 'test/kube/{apply,merge-table}.test.ts'],
  },
  {
    title: 'API, chart and GitOps, on an API server',
    needsCluster: true,
    patterns: [
      'test/{api,cli}/api-server.test.ts',
      'test/cli/cluster-doctor.test.ts',
      'test/{admission,chart,cluster,explore,faults,gitops,install}/*.test.ts',
      'test/desired/quantity.test.ts',
    ],
  },
  {
    title: 'packages, built and installed',
    needsCluster: true,
    patterns: ['test/{packages,github}/*.test.ts'],
  },
  { title: 'relay, on sockets', needsCluster: false, patterns: ['test/relay/**/*.test.ts'] },
  { title: 'all that needs neither', needsCluster: false, patterns: ['test/**/*.test.ts'] },
];

/** Every test except those of `make e2e`, each in the first kind that matches. */
export function testKinds(): TestKind[] {
  const taken = new Set(globSync('test/e2e/**/*.test.ts'));
  return kinds.map(({ patterns, ...kind }) => {
    const files = globSync([...patterns]).filter((file) => !taken.has(file));
    for (const file of files) taken.add(file);
    return { ...kind, files: files.toSorted() };
  });
}

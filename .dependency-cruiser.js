// The layers of docs/architecture.md: a folder may import only from those listed before it.
const layers = [
  'lib',
  'telemetry',
  'api',
  'config',
  'desired',
  'kube',
  'controller',
  'operator',
  'relay',
  'cli',
];

const upward = layers.slice(0, -1).map((layer, index) => ({
  name: `layers-${layer}`,
  comment: `src/${layer} may import only from the folders before it`,
  severity: 'error',
  from: { path: `^src/${layer}/` },
  to: { path: `^src/(${layers.slice(index + 1).join('|')})/` },
}));

export default {
  forbidden: [
    ...upward,
    {
      name: 'two-programs',
      comment: 'the operator and the relay never import each other',
      severity: 'error',
      from: { path: '^src/relay/' },
      to: { path: '^src/(operator|controller|kube|desired)/' },
    },
    {
      name: 'pure-folders',
      comment: 'api, config and desired do no I/O: no Node modules but those that compute, no logger',
      severity: 'error',
      from: { path: '^src/(api|config|desired)/' },
      to: {
        path: '^(src/telemetry/|node:|fs|net|dns|http|https|child_process|process|os|timers)',
        pathNot: '^(node:)?(crypto|net)$',
      },
    },
    {
      name: 'kube-is-the-only-client',
      comment: 'only src/kube talks to the API server',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/kube/' },
      to: { path: 'node_modules/(undici|@kubernetes/client-node)/', dependencyTypesNot: ['type-only'] },
    },
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    { name: 'not-to-test', severity: 'error', from: { path: '^src/' }, to: { path: '^(test|tools|bench)/' } },
    { name: 'no-orphans', severity: 'error', from: { orphan: true, path: '^src/' }, to: {} },
    { name: 'resolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'types'] },
  },
};

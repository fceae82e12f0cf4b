// The layers of docs/architecture.md: a folder may import only from those listed before it.
const layers = [
  'lib',
  'telemetry',
  'api',
  'gateway',
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

// The rooms of src/relay (docs/architecture.md): each may import itself and the rooms in its row.
const ground = ['net', 'dns', 'stats', 'limits'];
const relayRooms = {
  kernel: [],
  net: ['kernel'],
  dns: [],
  stats: [],
  'config-file': [],
  'proxy-protocol': ['net'],
  limits: ['net', 'stats', 'kernel'],
  upstream: [...ground, 'proxy-protocol'],
  listener: ground,
  connection: [...ground, 'proxy-protocol', 'upstream'],
  transport: ['net', 'stats', 'limits', 'proxy-protocol', 'upstream', 'connection'],
  udp: [...ground, 'proxy-protocol', 'upstream', 'listener'],
  'data-plane': [...ground, 'upstream', 'listener', 'connection', 'transport', 'udp'],
  workers: ['kernel', ...ground, 'upstream', 'connection', 'transport', 'data-plane'],
  handover: ['net', 'listener'],
  admin: ['stats', 'upstream', 'listener', 'data-plane'],
  'command-line': ['config-file'],
};

const rooms = Object.entries(relayRooms).map(([room, allowed]) => ({
  name: `relay-${room}`,
  comment: `src/relay/${room} may import only: ${[room, ...allowed].join(', ')}`,
  severity: 'error',
  from: { path: `^src/relay/${room}/` },
  to: { path: '^src/relay/', pathNot: `^src/relay/(${[room, ...allowed].join('|')})/` },
}));
// A new folder without a row is an error, too.
rooms.push({
  name: 'relay-rooms',
  comment: 'a folder of src/relay needs a row in relayRooms',
  severity: 'error',
  from: { path: '^src/relay/[^/]+/', pathNot: `^src/relay/(${Object.keys(relayRooms).join('|')})/` },
  to: {},
});

// What src/cli may take of the relay: its way in, not its rooms.
const relayForCommands = [
  'main',
  'server',
  'admin/routes',
  'admin/status',
  'command-line/flag-table',
  'config-file/read-config',
  'handover/handover',
  'listener/port-owner',
  'net/engine',
  'transport/transports',
  'workers/start-workers',
];

export default {
  forbidden: [
    ...upward,
    ...rooms,
    {
      name: 'two-programs',
      comment: 'the operator and the relay never import each other',
      severity: 'error',
      from: { path: '^src/relay/' },
      to: { path: '^src/(operator|controller|kube|desired|gateway)/' },
    },
    {
      name: 'pure-folders',
      comment:
        'api, gateway, config and desired do no I/O: no Node modules but those that compute, no logger',
      severity: 'error',
      from: { path: '^src/(api|gateway|config|desired)/' },
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
    {
      name: 'relay-from-outside',
      comment: `src/cli may import only these of src/relay: ${relayForCommands.join(', ')}`,
      severity: 'error',
      from: { path: '^src/(?!relay/)' },
      to: { path: '^src/relay/', pathNot: `^src/relay/(${relayForCommands.join('|')})\\.ts$` },
    },
    {
      name: 'schema-alone',
      comment: 'src/api/schema defines the resource and imports only src/lib',
      severity: 'error',
      from: { path: '^src/api/schema/' },
      to: { path: '^src/', pathNot: '^src/(api/schema|lib)/' },
    },
    {
      name: 'raw-memory',
      comment: 'only src/relay/kernel uses node:ffi',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/relay/kernel/' },
      to: { path: '^(node:)?ffi$' },
    },
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    { name: 'not-to-test', severity: 'error', from: { path: '^src/' }, to: { path: '^(test|tools|bench)/' } },
    { name: 'no-orphans', severity: 'error', from: { orphan: true, path: '^src/' }, to: {} },
    {
      name: 'resolvable',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true, pathNot: '^(node:)?ffi$' }, // newer than the list of Node's modules
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'types'] },
  },
};

// Who may depend on whom. Each rule has its reason; tests/architecture/layers.test.ts plants a violation of each.
// Paths are from the root of the checkout. Tests may reach further than the code they test, so rules on libraries leave
// them out; rules on layers do not.

const TESTS = ['\\.test\\.ts$', '^(packages|apps)/[^/]+/test/'];
const GENERATED = '/generated/';

/** Layer by layer: what a workspace may import of the others. */
const LAYERS = {
  'packages/schema': [],
  'packages/scheduler': ['packages/schema'],
  'packages/host-network': ['packages/schema'],
  'packages/host-storage': ['packages/schema'],
  'packages/hypervisor-driver': ['packages/schema'],
  'packages/client': ['packages/schema'],
  'packages/control-plane': ['packages/schema', 'packages/scheduler'],
  'apps/api': ['packages/schema', 'packages/control-plane'],
  'apps/node-agent': [
    'packages/schema',
    'packages/hypervisor-driver',
    'packages/host-network',
    'packages/host-storage',
  ],
  // The driver for one verb, see driver-for-the-host-check-only.
  'apps/cli': ['packages/client', 'packages/hypervisor-driver'],
};

const layerRules = Object.entries(LAYERS).map(([workspace, allowed]) => ({
  name: `layer-${workspace.replace('/', '-')}`,
  comment: `${workspace} depends on ${allowed.length === 0 ? 'no other workspace' : `nothing but ${allowed.join(', ')}`}: calls go down once, facts come up once.`,
  severity: 'error',
  from: { path: `^${workspace}/`, pathNot: TESTS },
  to: { path: '^(packages|apps)/', pathNot: [workspace, ...allowed].map((folder) => `^${folder}/`) },
}));

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    ...layerRules,
    {
      name: 'driver-for-the-host-check-only',
      comment:
        '`kvorum host check` looks at the machine it runs on, without a control plane. Nothing else of the command line may need the driver and its native library, and a machine that cannot load it must still run every other verb.',
      severity: 'error',
      from: { path: '^apps/cli/', pathNot: ['^apps/cli/src/commands/host/check\\.ts$', ...TESTS] },
      to: { path: '^packages/hypervisor-driver/' },
    },
    {
      name: 'driver-on-demand',
      comment: 'Imported when the verb runs: a static import would load it at the start of each command.',
      severity: 'error',
      from: { path: '^apps/cli/', pathNot: TESTS },
      to: { path: '^packages/hypervisor-driver/', dynamic: false },
    },
    {
      name: 'no-cycles',
      comment: 'Files that need each other are one file, or hide a third thing that both need.',
      severity: 'error',
      from: { pathNot: GENERATED },
      to: { circular: true },
    },
    {
      name: 'packages-by-their-root',
      comment:
        "What a package does not export is its own business. The agents' wire has an entry of its own, so that only its two ends load gRPC.",
      severity: 'error',
      from: { path: '^((?:packages|apps)/[^/]+)/', pathNot: TESTS },
      to: {
        path: '^(packages|apps)/[^/]+/',
        pathNot: [
          '^$1/',
          '^(packages|apps)/[^/]+/(src/index\\.ts|dist/index\\.js)$',
          '^packages/schema/(src|dist)/agent-wire\\.(ts|js)$',
        ],
      },
    },
    {
      name: 'scheduler-is-pure',
      comment:
        'No I/O, no clock, no randomness: the same fleet and request always give the same placement, also in a simulation.',
      severity: 'error',
      from: { path: '^packages/scheduler/src/', pathNot: TESTS },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'prisma-in-stores-only',
      comment:
        'SQL lives in stores: whoever looks for what writes a column finds it there, guard and all. Types of rows may be named elsewhere.',
      severity: 'error',
      from: {
        path: '^(packages|apps)/',
        pathNot: ['^packages/control-plane/src/database/', '\\.store\\.ts$', ...TESTS],
      },
      to: {
        path: ['node_modules/(@prisma/|prisma/)', '^packages/control-plane/src/database/generated/'],
        dependencyTypesNot: ['type-only'],
      },
    },
    {
      name: 'pg-in-stores-only',
      comment:
        'As above, without the client in between. The bell is on PostgreSQL through BullMQ, which wants a pool of its own.',
      severity: 'error',
      from: {
        path: '^(packages|apps)/',
        pathNot: [
          '^packages/control-plane/src/database/',
          '^packages/control-plane/src/operations/bullmq-bell\\.ts$',
          '\\.store\\.ts$',
          ...TESTS,
        ],
      },
      to: { path: 'node_modules/pg/' },
    },
    {
      name: 'grpc-at-the-edges-only',
      comment:
        "The wire is spoken at its two ends; everything between them speaks in the contract's own types and errors.",
      severity: 'error',
      from: {
        pathNot: [
          '^packages/control-plane/src/agents/',
          '^apps/api/src/gateway/',
          '^apps/node-agent/src/(rpc|report|enrol|image|move|trust)/',
          '^packages/schema/src/(agent-wire|wire-error)\\.ts$',
          GENERATED,
          ...TESTS,
        ],
      },
      to: { path: 'node_modules/@grpc/' },
    },
    {
      name: 'http-in-the-api-only',
      comment: 'Use cases can be called by a worker, a simulation or a test without an HTTP server.',
      severity: 'error',
      from: { pathNot: ['^apps/api/', ...TESTS] },
      to: { path: 'node_modules/(@fastify/|fastify)' },
    },
    {
      name: 'no-test-in-the-product',
      comment: 'What only tests need must not be shipped, and must not be reachable from what is.',
      severity: 'error',
      from: { path: '^(packages|apps)/', pathNot: TESTS },
      to: { path: [...TESTS, '^tests/'] },
    },
    {
      name: 'declared-dependencies-only',
      comment:
        'A package that works only because another one happens to bring its dependency breaks at the next install.',
      severity: 'error',
      from: { path: '^(packages|apps)/[^/]+/src/', pathNot: [GENERATED, ...TESTS] },
      to: { dependencyTypes: ['npm-no-pkg', 'npm-unknown', 'unknown'] },
    },
    {
      name: 'no-unresolvable',
      comment: 'An import that leads nowhere would also escape every other rule.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    exclude: { path: '^(packages|apps)/[^/]+/(dist|coverage)/' },
    doNotFollow: { path: ['node_modules', GENERATED] },
    // Types count too: a layer that needs the types of another depends on it.
    tsPreCompilationDeps: true,
    combinedDependencies: false,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['source', 'node', 'import', 'types', 'default'],
    },
    cache: false,
  },
};

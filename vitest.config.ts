import { defineConfig } from 'vitest/config';

const UNIT_TIMEOUT_MS = 10_000;
const INTEGRATION_TIMEOUT_MS = 120_000;
const CEPH_TIMEOUT_MS = 600_000;
const E2E_TIMEOUT_MS = 300_000; // Linux guests boot under emulation, several at a time

/** Tests whose time is that of leases running out: side by side they take no longer than one. */
const WAITING = ['tests/e2e/worker-crashes*.test.ts'];

// Workspace packages resolve to their TypeScript, so tests need no build. `noExternal`: otherwise vitest would hand them to
// Node as installed packages, and Node cannot load TypeScript. Vitest passes the conditions on to Node, for `require` too: so
// `import` and `module` must not be among them.
const CONDITIONS = ['source', 'node'];
const resolution = {
  resolve: { conditions: CONDITIONS },
  ssr: { resolve: { conditions: CONDITIONS }, noExternal: [/^@kvorum\//] },
};

const settings = {
  pool: 'forks' as const, // signals, native calls and child processes need a process of their own
  globalSetup: ['tests/support/global-setup.ts'],
};

/** Not part of `npm test`: its image takes minutes to build, and its guests to boot. */
const DEBIAN_GUEST = {
  ...resolution,
  test: {
    ...settings,
    name: 'debian-guest',
    include: ['tests/debian-guest/**/*.test.ts'],
    testTimeout: E2E_TIMEOUT_MS,
    hookTimeout: E2E_TIMEOUT_MS,
  },
};

/** Not part of `npm test`: needs packages of Ceph, and half a GiB for its daemons. */
const CEPH_TESTS = ['packages/*/test/ceph/**/*.test.ts', 'tests/ceph/**/*.test.ts'];
const CEPH = {
  ...resolution,
  test: {
    ...settings,
    name: 'ceph',
    include: CEPH_TESTS,
    globalSetup: ['tests/ceph/ceph-setup.ts'],
    // Each verb runs several tools of Ceph, and each connects anew.
    testTimeout: CEPH_TIMEOUT_MS,
    hookTimeout: CEPH_TIMEOUT_MS,
    fileParallelism: false,
  },
};

export default defineConfig(({ mode }) => ({
  test: {
    // Every core, where vitest would keep one free: most tests wait for databases, sockets and guests.
    maxWorkers: '100%',
    projects: [
      {
        ...resolution,
        mode, // projects do not inherit it
        test: {
          ...settings,
          name: 'unit',
          include: ['packages/*/src/**/*.test.ts', 'apps/*/src/**/*.test.ts', 'scripts/**/*.test.ts'],
          testTimeout: UNIT_TIMEOUT_MS,
          hookTimeout: INTEGRATION_TIMEOUT_MS,
        },
      },
      {
        ...resolution,
        mode,
        test: {
          ...settings,
          name: 'integration',
          include: ['packages/*/test/**/*.test.ts', 'apps/*/test/**/*.test.ts', 'tests/architecture/**/*.test.ts'],
          exclude: CEPH_TESTS,
          testTimeout: INTEGRATION_TIMEOUT_MS,
          hookTimeout: INTEGRATION_TIMEOUT_MS,
        },
      },
      {
        ...resolution,
        mode,
        test: {
          ...settings,
          name: 'e2e-waiting',
          include: WAITING,
          testTimeout: E2E_TIMEOUT_MS,
          hookTimeout: E2E_TIMEOUT_MS,
          // Two processors are hardly busy with both of them.
          sequence: { groupOrder: 1 },
        },
      },
      {
        ...resolution,
        mode,
        test: {
          ...settings,
          name: 'e2e',
          include: ['tests/e2e/**/*.test.ts'],
          exclude: WAITING,
          testTimeout: E2E_TIMEOUT_MS,
          hookTimeout: E2E_TIMEOUT_MS,
          // Guests under emulation take whole cores: one file at a time, after everything else.
          fileParallelism: false,
          sequence: { groupOrder: 2 },
        },
      },
      ...(mode === 'debian-guest' ? [DEBIAN_GUEST] : []),
      ...(mode === 'ceph' ? [CEPH] : []),
    ],
  },
}));

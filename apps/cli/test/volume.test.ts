import type { StoragePool, Volume } from '@kvorum/client';
import { describe, expect, it } from 'vitest';
import { openDouble } from './double.js';
import { AT, GIB, idOf } from './shapes.js';

const VOLUME: Volume = {
  id: idOf(1),
  projectId: idOf(9),
  name: 'data',
  poolId: idOf(2),
  poolName: 'fast',
  state: 'available',
  sizeBytes: 20 * GIB,
  source: null,
  vmId: null,
  role: null,
  goesWithVm: false,
  snapshotCount: 1,
  trashedAt: null,
  purgeAt: null,
  operationId: null,
  failure: null,
  generation: 3,
  createdAt: AT,
  updatedAt: AT,
};
const POOL: StoragePool = {
  id: idOf(2),
  name: 'fast',
  driver: 'dir',
  description: '',
  capabilities: {
    isShared: false,
    hasSnapshots: true,
    hasLinkedClones: true,
    isThin: true,
    growsOnline: true,
    hasReflink: false,
  },
  overcommitRatio: 2,
  trashKeepDays: 7,
  totalBytes: 100 * GIB,
  freeBytes: 40 * GIB,
  allocatedBytes: 60 * GIB,
  trashedBytes: GIB,
  isAboveHighWater: false,
  reservedBytes: 50 * GIB,
  reservableBytes: 150 * GIB,
  volumeCount: 2,
  hosts: [{ id: idOf(4), name: 'host-a', isConnected: true, fault: null }],
  generation: 1,
  createdAt: AT,
  updatedAt: AT,
};
const SNAPSHOT = {
  id: idOf(3),
  setId: idOf(5),
  volumeId: idOf(1),
  projectId: idOf(9),
  name: 'now',
  state: 'available',
  sizeBytes: 20 * GIB,
  wasFrozen: true,
  operationId: null,
  createdAt: AT,
};
const PLAN = {
  operation: 'volume.grow',
  steps: [{ name: 'grow', undo: 'cannot be taken back: a volume that has grown cannot be made smaller' }],
  volumes: [{ id: idOf(1), name: 'data', sizeBytes: 40 * GIB }],
  diskBytesTaken: 20 * GIB,
};
const page = (item: unknown) => ({ status: 200, body: { items: [item], nextCursor: null } });
const accepted = {
  status: 202,
  body: {
    operation: { id: idOf(7), kind: 'volume.create', state: 'queued', resourceKind: 'volume' },
    resourceId: idOf(1),
  },
};
const routes = {
  'GET /v1/storage-pools': page(POOL),
  [`GET /v1/storage-pools/${POOL.id}`]: { status: 200, body: POOL },
  [`PATCH /v1/storage-pools/${POOL.id}`]: { status: 200, body: POOL },
  'GET /v1/volumes': page(VOLUME),
  [`GET /v1/volumes/${VOLUME.id}`]: { status: 200, body: VOLUME },
  'POST /v1/volumes': accepted,
  [`PATCH /v1/volumes/${VOLUME.id}`]: { status: 200, body: PLAN },
  [`DELETE /v1/volumes/${VOLUME.id}`]: accepted,
  [`POST /v1/volumes/${VOLUME.id}/restore`]: accepted,
  [`POST /v1/volumes/${VOLUME.id}/purge`]: accepted,
  'GET /v1/volume-snapshots': page(SNAPSHOT),
  [`GET /v1/volume-snapshots/${SNAPSHOT.id}`]: { status: 200, body: SNAPSHOT },
  'POST /v1/volume-snapshots': accepted,
  [`POST /v1/volume-snapshots/${SNAPSHOT.id}/revert`]: accepted,
  [`DELETE /v1/volume-snapshots/${SNAPSHOT.id}`]: accepted,
};

describe('kvorum volume', () => {
  it.each([
    ['volume create data --pool fast --size 20GiB', 'POST', { name: 'data', poolId: POOL.id, sizeBytes: 20 * GIB }],
    [
      'volume clone data/now copy --full',
      'POST',
      { name: 'copy', projectId: idOf(9), from: { kind: 'snapshot', snapshotId: SNAPSHOT.id, mode: 'full' } },
    ],
    ['volume snapshot now data', 'POST', { name: 'now', freeze: 'auto', volumeIds: [VOLUME.id] }],
    ['volume revert data/now', 'POST', ''],
    ['volume remove-snapshot data/now', 'DELETE', ''],
    ['volume delete data', 'DELETE', ''],
    ['volume restore data', 'POST', ''],
    ['volume purge data', 'POST', ''],
  ])('%s asks for an operation, and says how to watch it', async (line, method, body) => {
    const { run, calls } = await openDouble(routes);
    const { exitCode, stderr } = await run(line);
    expect(exitCode).toBe(0);
    expect(stderr).toContain(`kvorum operation watch ${idOf(7)}`);
    expect(calls.at(-1)?.call).toMatch(new RegExp(`^${method} `));
    expect(calls.at(-1)?.body).toEqual(body);
  });

  it('grow --dry-run shows what it would take, and what cannot be taken back', async () => {
    const { run, calls } = await openDouble(routes);
    const { stdout } = await run('volume grow data 40GiB --dry-run');
    expect(calls.at(-1)?.body).toEqual({ sizeBytes: 40 * GIB });
    expect(stdout).toContain('volume.grow: data, 40 GiB');
    expect(stdout).toContain("takes 20 GiB of the project's quota");
    expect(stdout).toContain('cannot be taken back');
  });

  it.each(['volume snapshot now', 'volume snapshot now data --vm web-1'])(
    '%s: which volumes has to be said',
    async (line) => {
      const { run } = await openDouble(routes);
      const { exitCode, stderr } = await run(line);
      expect(exitCode).toBe(2);
      expect(stderr).toContain('Name volumes, or give --vm');
    },
  );
});

describe('kvorum storage-pool', () => {
  it('lists what each pool can do, and its room', async () => {
    const { run } = await openDouble(routes);
    const { stdout } = await run('storage-pool list');
    expect(stdout).toMatch(
      /fast +dir +ok +100 GiB +40 GiB +50 GiB +150 GiB +snapshots, linked-clones, thin, grows-online/,
    );
  });

  it('update sends what was given alone', async () => {
    const { run, calls } = await openDouble(routes);
    expect((await run('storage-pool update fast --overcommit-ratio 1.5')).exitCode).toBe(0);
    expect(calls.at(-1)?.body).toEqual({ overcommitRatio: 1.5 });
    expect((await run('storage-pool update fast --overcommit-ratio lots')).exitCode).toBe(2);
  });
});

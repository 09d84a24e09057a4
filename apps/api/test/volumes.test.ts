import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openSite, type Site } from './open-site.js';

const ID = '019a0000-0000-7000-8000-00000000aaaa';
const POOL = '019a0000-0000-7000-8000-00000000bbbb';
const HOST = '019a0000-0000-7000-8000-00000000cccc';
const GIB = 2 ** 30;
const as = 'projectOperator';

let site: Site;
beforeAll(async () => {
  site = await openSite();
  const { database } = site.cp;
  await database.$executeRaw`
    INSERT INTO hosts (id, name, address, connectivity, storage_pool_ids)
    VALUES (${HOST}::uuid, 'host-a', '127.0.0.1:1', 'connected', ARRAY[${POOL}::uuid])`;
  const can = {
    isShared: false,
    hasSnapshots: true,
    hasLinkedClones: true,
    isThin: true,
    growsOnline: true,
    hasReflink: false,
  };
  await database.$executeRaw`
    INSERT INTO storage_pools (id, name, driver, host_id, capabilities)
    VALUES (${POOL}::uuid, 'fast', 'dir', ${HOST}::uuid, ${JSON.stringify(can)}::jsonb)`;
  await database.$executeRaw`
    INSERT INTO host_storage_pools (host_id, name, pool_id, total_bytes, free_bytes)
    VALUES (${HOST}::uuid, 'fast', ${POOL}::uuid, ${10 * GIB}::bigint, ${5 * GIB}::bigint)`;
});
afterAll(() => site.close());

const volume = (name: string, fields: object = {}) => ({ name, poolId: POOL, sizeBytes: GIB, ...fields });
/** As if the operation had ended well. */
const settle = (id: string) =>
  site.cp.database.$executeRaw`UPDATE volumes SET state = 'available' WHERE id = ${id}::uuid`;
const aVolume = async (name: string): Promise<string> => {
  const { body } = await site.ask('POST', '/v1/volumes', { as, body: volume(name) });
  await settle(body.resourceId);
  return body.resourceId;
};

describe('storage pools', () => {
  it('are listed with their room, to projects without their hosts, and changed by admins', async () => {
    const [pool] = (await site.ask('GET', '/v1/storage-pools?name=fast', { as: 'projectViewer' })).body.items;
    expect(pool).toMatchObject({ id: POOL, totalBytes: 10 * GIB, overcommitRatio: 2, hosts: [] });
    const url = `/v1/storage-pools/${POOL}`;
    const seen = await site.ask('GET', url, { as: 'viewer' });
    expect(seen).toMatchObject({ status: 200, headers: { etag: '"1"' }, body: { hosts: [{ name: 'host-a' }] } });
    const change = { as: 'admin', body: { overcommitRatio: 1.5 }, headers: { 'if-match': '"1"' } } as const;
    expect(await site.ask('PATCH', url, change)).toMatchObject({ status: 200, body: { overcommitRatio: 1.5 } });
    expect(await site.ask('PATCH', url, change)).toMatchObject({ status: 412 });
    await site.ask('PATCH', url, { as: 'admin', body: { overcommitRatio: 2 } });
  });

  it.each([
    ['a ratio below 1', { overcommitRatio: 0.5 }, 'overcommitRatio'],
    ['a ratio of three decimals', { overcommitRatio: 1.005 }, 'overcommitRatio'],
    ['a negative time', { trashKeepDays: -1 }, 'trashKeepDays'],
    ['control characters', { description: 'a\u001b[31m' }, 'description'],
    ['another name', { name: 'slow' }, 'name'],
  ])('are not given %s', async (_what, body, field) => {
    const before = await site.contents();
    const refused = await site.ask('PATCH', `/v1/storage-pools/${POOL}`, { as: 'admin', body });
    expect(refused).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
    expect(refused.body.errors.map((error: { field: string }) => error.field)).toEqual([`body.${field}`]);
    expect(await site.contents()).toEqual(before);
  });
});

describe('volumes', () => {
  it('are made by an operation, once under an Idempotency-Key, and not with another request under it', async () => {
    const send = (name: string) =>
      site.ask('POST', '/v1/volumes', { as, headers: { 'idempotency-key': 'v-1' }, body: volume(name) });
    const first = await send('once');
    expect(first).toMatchObject({
      status: 202,
      body: { operation: { kind: 'volume.create', resourceKind: 'volume' } },
    });
    expect((await send('once')).body.resourceId).toBe(first.body.resourceId);
    expect(await send('twice')).toMatchObject({ status: 409, body: { code: 'idempotency_conflict' } });
    const { body } = await site.ask('GET', `/v1/volumes/${first.body.resourceId}`, { as });
    expect(body).toMatchObject({ name: 'once', state: 'creating', poolName: 'fast', vmId: null, sizeBytes: GIB });
    expect(await site.ask('POST', '/v1/volumes', { as, body: volume('once') })).toMatchObject({
      status: 409,
      body: { code: 'already_exists', errors: [{ field: 'body.name' }] },
    });
  });

  it('are planned without a trace', async () => {
    const id = await aVolume('planned');
    const before = await site.contents();
    const plans: [string, string, object?][] = [
      ['POST', '/v1/volumes?dryRun=plan', volume('other')],
      ['PATCH', `/v1/volumes/${id}?dryRun=plan`, { sizeBytes: 2 * GIB }],
      ['DELETE', `/v1/volumes/${id}?dryRun=plan`],
      ['POST', '/v1/volume-snapshots?dryRun=plan', { name: 'now', volumeIds: [id] }],
    ];
    for (const [method, url, body] of plans) {
      const plan = await site.ask(method, url, { as, ...(body === undefined ? {} : { body }) });
      expect(plan).toMatchObject({ status: 200, body: { steps: [{ name: expect.any(String) }] } });
    }
    expect(await site.contents()).toEqual(before);
  });

  it('are of their project: others do not know them', async () => {
    const id = await aVolume('secret');
    const { body } = await site.ask('POST', '/v1/projects', {
      as: 'admin',
      body: { name: 'others', quota: { vmCount: 1, vcpuCount: 1, memoryBytes: 1, diskBytes: 1 } },
    });
    const token = await site.ask('POST', '/v1/tokens', {
      as: 'admin',
      body: { name: 'other', role: 'operator', projectId: body.id },
    });
    const other = token.body.secret;
    expect(await site.ask('GET', `/v1/volumes/${id}`, { token: other })).toMatchObject({ status: 404 });
    expect(await site.ask('DELETE', `/v1/volumes/${id}`, { token: other })).toMatchObject({ status: 404 });
    const asked = { token: other, body: { name: 'now', volumeIds: [id] } };
    expect(await site.ask('POST', '/v1/volume-snapshots', asked)).toMatchObject({ status: 404 });
    expect((await site.ask('GET', '/v1/volumes', { token: other })).body.items).toEqual([]);
  });

  it.each([
    ['a name that leads out of a folder', 'POST', '/v1/volumes', volume('../../etc/passwd'), 400, 'body.name'],
    ['a name with a slash', 'POST', '/v1/volumes', volume('a/b'), 400, 'body.name'],
    ['no pool', 'POST', '/v1/volumes', { name: 'a', sizeBytes: GIB }, 400, 'body.poolId'],
    ['a pool that is a path', 'POST', '/v1/volumes', volume('a', { poolId: '../pool' }), 400, 'body.poolId'],
    ['a pool that is none', 'POST', '/v1/volumes', volume('a', { poolId: ID }), 404, 'body.poolId'],
    ['no size', 'POST', '/v1/volumes', { name: 'a', poolId: POOL }, 400, 'body.sizeBytes'],
    ['a size of no whole MiB', 'POST', '/v1/volumes', volume('a', { sizeBytes: GIB + 1 }), 400, 'body.sizeBytes'],
    ['a size of nothing', 'POST', '/v1/volumes', volume('a', { sizeBytes: 0 }), 400, 'body.sizeBytes'],
    [
      'an image that is none',
      'POST',
      '/v1/volumes',
      volume('a', { from: { kind: 'image', imageId: ID } }),
      404,
      'body.from.imageId',
    ],
    [
      'a snapshot that is none',
      'POST',
      '/v1/volumes',
      { name: 'a', from: { kind: 'snapshot', snapshotId: ID } },
      404,
      'body.from.snapshotId',
    ],
    [
      'a clone of another size',
      'POST',
      '/v1/volumes',
      { name: 'a', sizeBytes: GIB, from: { kind: 'snapshot', snapshotId: ID } },
      400,
      'body.sizeBytes',
    ],
    [
      'a mode that is none',
      'POST',
      '/v1/volumes',
      { name: 'a', from: { kind: 'snapshot', snapshotId: ID, mode: 'thin' } },
      400,
      'body.from.mode',
    ],
    ['a VM that is none', 'POST', `/v1/volumes/${ID}/attach`, { vmId: 'web-1' }, 400, 'body.vmId'],
    ['snapshots of nothing', 'POST', '/v1/volume-snapshots', { name: 'a' }, 400, 'body.volumeIds'],
    [
      'snapshots of a VM and volumes',
      'POST',
      '/v1/volume-snapshots',
      { name: 'a', vmId: ID, volumeIds: [ID] },
      400,
      'body.volumeIds',
    ],
    ['a volume twice', 'POST', '/v1/volume-snapshots', { name: 'a', volumeIds: [ID, ID] }, 400, 'body.volumeIds'],
    [
      'a freeze that is none',
      'POST',
      '/v1/volume-snapshots',
      { name: 'a', vmId: ID, freeze: 'soon' },
      400,
      'body.freeze',
    ],
    ['snapshots of a VM that is none', 'POST', '/v1/volume-snapshots', { name: 'a', vmId: ID }, 404, 'body.vmId'],
  ])('are refused for %s, by field, and nothing is changed', async (_what, method, url, body, status, field) => {
    const before = await site.contents();
    const refused = await site.ask(method, url, { as, body });
    expect(refused).toMatchObject({ status });
    expect(refused.body.errors.map((error: { field: string }) => error.field)).toContain(field);
    expect(await site.contents()).toEqual(before);
  });

  it('only grow', async () => {
    const id = await aVolume('shrinking');
    const before = await site.contents();
    const ask = (sizeBytes: number) => site.ask('PATCH', `/v1/volumes/${id}`, { as, body: { sizeBytes } });
    expect(await ask(GIB / 2)).toMatchObject({ status: 400, body: { errors: [{ field: 'body.sizeBytes' }] } });
    expect(await ask(GIB)).toMatchObject({ status: 409, body: { code: 'conflict_state' } });
    expect(await site.contents()).toEqual(before);
  });

  it('are refused by a full pool with its figures and what to do', async () => {
    const huge = await site.ask('POST', '/v1/volumes', { as, body: volume('huge', { sizeBytes: 100 * GIB }) });
    expect(huge).toMatchObject({ status: 507, body: { code: 'no_capacity' } });
    expect(huge.body.detail).toMatch(/may promise 20\.00 GiB.*100\.00 GiB more are needed; purge/);
    const setFull = (isFull: boolean) =>
      site.cp.database
        .$executeRaw`UPDATE host_storage_pools SET is_above_high_water = ${isFull} WHERE pool_id = ${POOL}::uuid`;
    await setFull(true);
    const refused = await site.ask('POST', '/v1/volumes', { as, body: volume('late') });
    expect(refused).toMatchObject({ status: 507, body: { code: 'no_capacity' } });
    expect(refused.body.detail).toMatch(/above its high-water mark: 5\.00 GiB of 10\.00 GiB are free.*purge its trash/);
    await setFull(false);
  });
});

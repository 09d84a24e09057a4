import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openSite, type Site } from './open-site.js';

let site: Site;
beforeAll(async () => {
  site = await openSite();
});
afterAll(() => site.close());

const GIB = 1024 ** 3;
const SMALL = { name: 'small', vcpuCount: 1, memoryBytes: GIB, rootDiskBytes: 2 * GIB };
const QUOTA = { vmCount: 1, vcpuCount: 2, memoryBytes: 3, diskBytes: 4 };
const UNKNOWN_ID = '019a0000-0000-7000-8000-000000000001';

describe('flavors', () => {
  it('are created, found, listed by name and deleted', async () => {
    const created = await site.ask('POST', '/v1/flavors', { as: 'admin', body: SMALL });
    expect(created).toMatchObject({
      status: 201,
      headers: { location: `/v1/flavors/${created.body.id}` },
      body: SMALL,
    });
    const url = `/v1/flavors/${created.body.id}`;
    expect(await site.ask('GET', url, { as: 'projectViewer' })).toMatchObject({ status: 200, body: created.body });
    expect((await site.ask('GET', '/v1/flavors?name=small', { as: 'viewer' })).body).toEqual({
      items: [created.body],
      nextCursor: null,
    });
    expect((await site.ask('GET', '/v1/flavors?name=large', { as: 'viewer' })).body.items).toEqual([]);
    expect(await site.ask('POST', '/v1/flavors', { as: 'admin', body: SMALL })).toMatchObject({
      status: 409,
      body: { code: 'already_exists' },
    });
    expect(await site.ask('DELETE', url, { as: 'admin' })).toMatchObject({ status: 204, body: '' });
    expect(await site.ask('GET', url, { as: 'viewer' })).toMatchObject({ status: 404, body: { code: 'not_found' } });
    expect(await site.ask('DELETE', url, { as: 'admin' })).toMatchObject({ status: 404 });
  });
});

describe('projects', () => {
  it('are created, found, listed, and given another quota', async () => {
    const created = await site.ask('POST', '/v1/projects', { as: 'admin', body: { name: 'shop', quota: QUOTA } });
    expect(created).toMatchObject({
      status: 201,
      headers: { location: `/v1/projects/${created.body.id}` },
      body: { name: 'shop', quota: QUOTA, used: { vmCount: 0, vcpuCount: 0, memoryBytes: 0, diskBytes: 0 } },
    });
    const url = `/v1/projects/${created.body.id}`;
    const quota = { ...QUOTA, vmCount: 7 };
    expect(await site.ask('PATCH', `${url}/quota`, { as: 'admin', body: quota })).toMatchObject({
      status: 200,
      body: { quota },
    });
    expect((await site.ask('GET', url, { as: 'viewer' })).body.quota).toEqual(quota);
    expect((await site.ask('GET', '/v1/projects?name=shop', { as: 'viewer' })).body.items).toHaveLength(1);
    expect(await site.ask('PATCH', `/v1/projects/${UNKNOWN_ID}/quota`, { as: 'admin', body: quota })).toMatchObject({
      status: 404,
    });
  });

  it('are invisible to tokens of other projects', async () => {
    const other = await site.ask('POST', '/v1/projects', { as: 'admin', body: { name: 'others', quota: QUOTA } });
    const url = `/v1/projects/${other.body.id}`;
    expect(await site.ask('GET', url, { as: 'projectViewer' })).toMatchObject({ status: 404 });
    const { items } = (await site.ask('GET', '/v1/projects', { as: 'projectViewer' })).body;
    expect(items.map(({ id }: { id: string }) => id)).toEqual([site.project.id]);
  });
});

describe('tokens', () => {
  it('say who they are', async () => {
    const { id, name, role, projectId } = site.tokens.projectOperator;
    expect(await site.ask('GET', '/v1/tokens/self', { as: 'projectOperator' })).toMatchObject({
      status: 200,
      body: { id, name, role, projectId },
    });
  });

  it('show their secret once, work until they are revoked, and keep their record', async () => {
    const created = await site.ask('POST', '/v1/tokens', { as: 'admin', body: { name: 'ci', role: 'viewer' } });
    expect(created).toMatchObject({ status: 201, body: { name: 'ci', role: 'viewer', projectId: null } });
    const { secret, id } = created.body;
    expect((await site.ask('GET', '/v1/tokens/self', { token: secret })).status).toBe(200);
    const listed = await site.ask('GET', '/v1/tokens?limit=500', { as: 'admin' });
    expect(JSON.stringify(listed.body)).not.toContain(secret);

    const revoked = await site.ask('DELETE', `/v1/tokens/${id}`, { as: 'admin' });
    expect(revoked).toMatchObject({ status: 200, body: { id, revokedAt: expect.any(String) } });
    expect(await site.ask('GET', '/v1/tokens/self', { token: secret })).toMatchObject({
      status: 401,
      headers: { 'www-authenticate': 'Bearer' },
      body: { code: 'unauthenticated' },
    });
    expect((await site.ask('DELETE', `/v1/tokens/${UNKNOWN_ID}`, { as: 'admin' })).status).toBe(404);
  });
});

describe('the API about itself', () => {
  it('says that it lives, that it is ready, and what an error means, without a token', async () => {
    expect((await site.ask('GET', '/healthz')).body).toEqual({ status: 'alive' });
    expect((await site.ask('GET', '/readyz')).body).toEqual({ status: 'ready' });
    expect((await site.ask('GET', '/v1/errors/no_capacity')).body).toMatchObject({ code: 'no_capacity', status: 507 });
    expect((await site.ask('GET', '/v1/errors/no_such_code')).status).toBe(400);
  });

  it('answers HEAD as GET without a body', async () => {
    const head = await site.ask('HEAD', '/v1/flavors', { as: 'viewer' });
    expect(head).toMatchObject({ status: 200, body: '' });
  });
});

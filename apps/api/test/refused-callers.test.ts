import { afterAll, beforeAll, expect, it } from 'vitest';
import { openSite, type Site } from './open-site.js';
import { SOON } from './soon.js';

let site: Site;
beforeAll(async () => {
  site = await openSite();
});
afterAll(() => site.close());

it('a token that has expired, or was revoked, is refused', async () => {
  const made = await site.ask('POST', '/v1/tokens', {
    as: 'admin',
    body: { name: 'brief', role: 'admin', validForSeconds: 1 },
  });
  await expect.poll(async () => (await site.ask('GET', '/v1/vms', { token: made.body.secret })).status, SOON).toBe(401);
  const other = await site.ask('POST', '/v1/tokens', { as: 'admin', body: { name: 'gone', role: 'admin' } });
  await site.ask('DELETE', `/v1/tokens/${other.body.id}`, { as: 'admin' });
  expect(await site.ask('GET', '/v1/vms', { token: other.body.secret })).toMatchObject({
    status: 401,
    body: { code: 'unauthenticated' },
  });
});

it('too many requests of one token are slowed with Retry-After, others and health are not', async () => {
  const slow = await openSite({ requestRate: { requestCountMax: 20, windowMs: 60_000 } });
  try {
    const statuses: number[] = [];
    for (let i = 0; i < 21; i += 1) statuses.push((await slow.ask('GET', '/v1/tokens/self', { as: 'viewer' })).status);
    expect(statuses).toEqual([...Array.from({ length: 20 }, () => 200), 429]);
    const refused = await slow.ask('GET', '/v1/vms', { as: 'viewer' });
    expect(refused).toMatchObject({ status: 429, body: { code: 'rate_limited' } });
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
    expect((await slow.ask('GET', '/v1/tokens/self', { as: 'operator' })).status).toBe(200);
    for (let i = 0; i < 30; i += 1) expect((await slow.ask('GET', '/healthz')).status).toBe(200);
  } finally {
    await slow.close();
  }
});

it('an address that keeps sending wrong tokens has to wait, while tokens that were good there go on', async () => {
  const other = await openSite();
  try {
    const guess = (i: number) => other.ask('GET', '/v1/vms', { token: `kvt1_${String(i).padStart(43, '0')}` });
    await other.ask('GET', '/v1/vms', { as: 'viewer' });
    const statuses = new Set<number>();
    for (let i = 0; i < 60; i += 1) statuses.add((await guess(i)).status);
    expect([...statuses]).toEqual([401]);
    const slowed = await guess(61);
    expect(slowed).toMatchObject({ status: 429, body: { code: 'rate_limited' } });
    expect(Number(slowed.headers['retry-after'])).toBeGreaterThan(0);
    expect((await other.ask('GET', '/v1/vms', { as: 'viewer' })).status).toBe(200);
  } finally {
    await other.close();
  }
});

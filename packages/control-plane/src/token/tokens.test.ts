import { createHash } from 'node:crypto';
import type { TokenId } from '@kvorum/schema';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { aProject } from '../../test/world/fleet-builder.js';
import { openTestControlPlane, type TestControlPlane } from '../../test/world/test-control-plane.js';
import { authenticate } from './authenticate.js';
import { createFirstToken, createToken, listTokens, revokeToken } from './tokens.js';

let test: TestControlPlane;
beforeAll(async () => {
  test = await openTestControlPlane();
});
afterAll(() => test.close());

const issue = (changes: object = {}) =>
  createToken(test.cp, test.admin, { name: 'ci', role: 'operator', validForSeconds: 3600, ...changes });
const refused = (bearer: string) =>
  expect(authenticate(test.cp, bearer)).rejects.toMatchObject({
    code: 'unauthenticated',
    message: 'the API token is unknown, expired or revoked',
  });

describe('an API token', () => {
  it('opens what its role and project say', async () => {
    const { id: projectId } = await aProject(test);
    const { id, secret } = await issue({ projectId });
    expect(await authenticate(test.cp, secret)).toEqual({ tokenId: id, tokenName: 'ci', role: 'operator', projectId });
  });

  it('is kept as a hash, and its secret appears in no list', async () => {
    const { id, secret } = await issue();
    expect(secret).toMatch(/^kvt1_[A-Za-z0-9_-]{43}$/);
    const [row] = await test.sql<{ hash: Buffer; row: string }>(
      'SELECT secret_sha256 AS hash, t::text AS row FROM api_tokens t WHERE id = $1',
      [id],
    );
    expect(row?.hash).toEqual(createHash('sha256').update(secret).digest());
    expect(row?.row).not.toContain(secret);
    expect(JSON.stringify(await listTokens(test.cp, test.admin, { limit: 500 }))).not.toContain(secret);
  });

  it('is refused at once when it was revoked; revoking twice keeps the first time', async () => {
    const { id, secret } = await issue();
    await authenticate(test.cp, secret);
    const { revokedAt } = await revokeToken(test.cp, test.admin, id);
    await refused(secret);
    expect((await revokeToken(test.cp, test.admin, id)).revokedAt).toBe(revokedAt);
  });

  it('is refused once it has expired', async () => {
    const { id, secret } = await issue();
    await test.sql(`UPDATE api_tokens SET expires_at = now() - interval '1 second' WHERE id = $1`, [id]);
    await refused(secret);
  });

  it.each(['', 'x', `kvt1_${'A'.repeat(43)}`, `kvt1_${'A'.repeat(42)}\0`, 'kvt1_'.repeat(1000), "' OR 1=1 --"])(
    'is refused without a word about why: %j',
    async (bearer) => refused(bearer),
  );

  it('can only be issued and revoked for the whole site, for a project that is there', async () => {
    const { id: projectId } = await aProject(test);
    const member = await test.actor('operator', projectId);
    await expect(
      createToken(test.cp, member, { name: 'x', role: 'viewer', validForSeconds: 60 }),
    ).rejects.toMatchObject({ code: 'forbidden' });
    await expect(revokeToken(test.cp, member, test.admin.tokenId)).rejects.toMatchObject({ code: 'forbidden' });
    await expect(issue({ projectId: test.admin.tokenId })).rejects.toMatchObject({ code: 'not_found' });
    await expect(revokeToken(test.cp, test.admin, projectId as unknown as TokenId)).rejects.toMatchObject({
      code: 'not_found',
    });
  });
});

describe('the first token', () => {
  it('is made once, by one of many that start at the same time, and never while there is any', async () => {
    expect(await createFirstToken(test.cp)).toBeNull();
    const fresh = await openTestControlPlane();
    try {
      await fresh.sql('DELETE FROM api_tokens');
      const made = await Promise.all(Array.from({ length: 5 }, () => createFirstToken(fresh.cp)));
      expect(made.filter((token) => token !== null)).toHaveLength(1);
    } finally {
      await fresh.close();
    }
  });
});

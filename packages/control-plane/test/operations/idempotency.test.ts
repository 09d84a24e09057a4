import { createHash } from 'node:crypto';
import { newId, type TokenId } from '@kvorum/schema';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../../../tests/support/database.js';
import { withTransaction } from '../../src/database/database.js';
import {
  claimIdempotencyKey,
  forgetIdempotencyKeys,
  type IdempotentAnswer,
  keepIdempotentResponse,
} from '../../src/operations/idempotency.store.js';
import { recordOperation } from '../../src/operations/operation.store.js';
import { openToyWorld, type ToyWorld, toyOperation } from './toy-operation.js';

let shared: TestDatabase;
let world: ToyWorld;
const tokenId = newId<TokenId>();
const otherTokenId = newId<TokenId>();

beforeAll(async () => {
  shared = await createTestDatabase();
  world = openToyWorld(shared.url);
  for (const id of [tokenId, otherTokenId]) {
    const secretSha256 = createHash('sha256').update(id).digest();
    await world.database.apiToken.create({
      data: { id, name: id, role: 'admin', secretSha256, expiresAt: new Date(Date.now() + 60_000) },
    });
  }
});
afterAll(async () => {
  await world.close();
  await shared.drop();
});

const requestOf = (key: string, body: string) => ({ key, requestSha256: createHash('sha256').update(body).digest() });

/** A mutation as a use case does it: the key first, then the operation. */
const mutate = (key: string, body = 'body', token = tokenId): Promise<IdempotentAnswer | string> =>
  withTransaction(world.database, async (tx) => {
    const operationId = newId<string>();
    const resourceId = newId<string>();
    const replayed = await claimIdempotencyKey(tx, token, requestOf(key, body), {
      status: 202,
      resourceId,
      operationId,
    });
    if (replayed !== null) return replayed;
    return recordOperation(tx, {
      definition: toyOperation(),
      input: { objectId: resourceId },
      projectId: null,
      resourceKind: 'vm',
      resourceId,
      createdBy: 'test',
      now: new Date(),
      operationId: operationId as never,
    });
  });

describe('an idempotency key', () => {
  it('replays the first answer to the same request', async () => {
    const operationId = await mutate('a');
    expect(await mutate('a')).toMatchObject({ status: 202, operationId, response: null });
  });

  it('refuses another request', async () => {
    await mutate('b');
    await expect(mutate('b', 'another body')).rejects.toMatchObject({ code: 'idempotency_conflict' });
  });

  it('belongs to its token', async () => {
    await mutate('c');
    expect(typeof (await mutate('c', 'another body', otherTokenId))).toBe('string');
  });

  it('lets one of many at the same time do it, and gives all others its answer', async () => {
    const answers = await Promise.all(Array.from({ length: 8 }, () => mutate('d')));
    const done = answers.filter((answer) => typeof answer === 'string');
    expect(done).toHaveLength(1);
    const replayed = answers.filter((answer) => typeof answer !== 'string');
    expect(replayed.map((answer) => answer.operationId)).toEqual(Array.from({ length: 7 }, () => done[0]));
  });

  it('is free again when the mutation was rolled back', async () => {
    const failing = withTransaction(world.database, async (tx) => {
      await claimIdempotencyKey(tx, tokenId, requestOf('e', 'body'), { status: 201, resourceId: newId<string>() });
      throw new Error('refused');
    });
    await expect(failing).rejects.toThrow('refused');
    expect(typeof (await mutate('e'))).toBe('string');
  });

  it('keeps the body of an answer that is no operation', async () => {
    const claim = () =>
      withTransaction(world.database, async (tx) => {
        const resourceId = newId<string>();
        const replayed = await claimIdempotencyKey(tx, tokenId, requestOf('f', 'body'), { status: 201, resourceId });
        if (replayed === null) await keepIdempotentResponse(tx, tokenId, requestOf('f', 'body'), { name: 'image' });
        return replayed;
      });
    expect(await claim()).toBeNull();
    expect(await claim()).toMatchObject({ status: 201, operationId: null, response: { name: 'image' } });
  });

  it('does nothing when none was sent, and is forgotten when it is old', async () => {
    const none = withTransaction(world.database, (tx) =>
      claimIdempotencyKey(tx, tokenId, undefined, { status: 202, resourceId: newId<string>() }),
    );
    expect(await none).toBeNull();
    await mutate('g');
    expect(await forgetIdempotencyKeys(world.database, new Date(Date.now() + 60_000), 3)).toBe(3);
    expect(await forgetIdempotencyKeys(world.database, new Date(0), 100)).toBe(0);
  });
});

import { ListOperationsQuery, newId, type ProjectId, type TokenId } from '@kvorum/schema';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '../../../../tests/support/database.js';
import type { Actor } from '../../src/control-plane.js';
import { withTransaction } from '../../src/database/database.js';
import { listOperations } from '../../src/operations/list-operations.js';
import { recordOperation } from '../../src/operations/operation.store.js';
import { openToyWorld, type ToyWorld, toyOperation } from './toy-operation.js';

let shared: TestDatabase;
let world: ToyWorld;
const projects = [newId<ProjectId>(), newId<ProjectId>()];
const resourceId = newId<string>();
/** In the order of making: even ones of the first project. */
const ids: string[] = [];

const actorOf = (projectId: ProjectId | null): Actor => ({
  tokenId: newId<TokenId>(),
  tokenName: 'test',
  role: 'viewer',
  projectId,
});
const list = (actor: Actor, query: Record<string, unknown>) =>
  listOperations(world, actor, ListOperationsQuery.parse(query));

beforeAll(async () => {
  shared = await createTestDatabase();
  world = openToyWorld(shared.url);
  for (const [index, id] of projects.entries()) {
    await world.database.project.create({
      data: { id, name: `p${index}`, quotaVmCount: 1, quotaVcpuCount: 1, quotaMemoryBytes: 1, quotaDiskBytes: 1 },
    });
  }
  for (let index = 0; index < 7; index += 1) {
    const id = await withTransaction(world.database, (tx) =>
      recordOperation(tx, {
        definition: toyOperation(),
        input: { objectId: resourceId },
        projectId: projects[index % 2] ?? null,
        resourceKind: 'vm',
        resourceId: index === 3 ? resourceId : newId<string>(),
        createdBy: 'test',
        now: new Date(),
      }),
    );
    ids.push(id);
  }
  await world.database.operation.update({ where: { id: ids[5] ?? '' }, data: { state: 'stuck' } });
});
afterAll(async () => {
  await world.close();
  await shared.drop();
});

describe('listOperations', () => {
  it('gives the newest first, page by page, each once', async () => {
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const page = await list(actorOf(null), { limit: 3, ...(cursor === null ? {} : { cursor }) });
      seen.push(...page.items.map((item) => item.id));
      cursor = page.nextCursor;
    } while (cursor !== null);
    expect(seen).toEqual([...ids].reverse());
  });

  it('shows an actor of a project that project alone', async () => {
    const page = await list(actorOf(projects[1] ?? null), {});
    expect(page.items.map((item) => item.id)).toEqual([ids[5], ids[3], ids[1]]);
    await expect(list(actorOf(projects[1] ?? null), { projectId: projects[0] })).rejects.toMatchObject({
      code: 'not_found',
    });
  });

  it.each([
    ['state', { state: 'stuck' }, [5]],
    ['resource', { resourceId }, [3]],
    ['kind', { kind: 'vm.delete' }, []],
    ['project', { projectId: projects[0], state: 'queued' }, [6, 4, 2, 0]],
  ])('filters by %s', async (_, query, expected) => {
    const page = await list(actorOf(null), query);
    expect(page.items.map((item) => ids.indexOf(item.id))).toEqual(expected);
  });

  it('refuses a cursor that it never gave out', async () => {
    await expect(list(actorOf(null), { cursor: 'x' })).rejects.toMatchObject({ code: 'invalid_request' });
  });
});

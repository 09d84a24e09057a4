import { afterAll, beforeAll, expect, it } from 'vitest';
import { openSite, type Site } from './open-site.js';

let site: Site;
beforeAll(async () => {
  site = await openSite();
});
afterAll(() => site.close());

const makeFlavor = async (name: string): Promise<string> => {
  const body = { name, vcpuCount: 1, memoryBytes: 2 ** 30, rootDiskBytes: 2 ** 30 };
  const answer = await site.ask('POST', '/v1/flavors', { as: 'admin', body });
  expect(answer.status).toBe(201);
  return answer.body.id;
};

it('walking the pages sees each row that was there exactly once, while others are added', async () => {
  const there: string[] = [];
  for (let i = 0; i < 25; i += 1) there.push(await makeFlavor(`before-${i}`));
  const added: string[] = [];
  const seen: string[] = [];
  let cursor: string | null = null;
  let pageCount = 0;
  do {
    const query: string = cursor === null ? 'limit=4' : `limit=4&cursor=${cursor}`;
    const [page] = await Promise.all([
      site.ask('GET', `/v1/flavors?${query}`, { as: 'viewer' }),
      makeFlavor(`during-${pageCount}`).then((id) => added.push(id)),
    ]);
    expect(page.body.items.length).toBeLessThanOrEqual(4);
    seen.push(...page.body.items.map(({ id }: { id: string }) => id));
    cursor = page.body.nextCursor;
    pageCount += 1;
    // Each page has four rows and one is added meanwhile: it ends.
    expect(pageCount).toBeLessThan(50);
  } while (cursor !== null);
  expect(new Set(seen).size).toBe(seen.length);
  expect(seen.filter((id) => there.includes(id))).toEqual(there);
  expect(seen.every((id) => there.includes(id) || added.includes(id))).toBe(true);
});

it('the last page says that it is the last, also when it is full', async () => {
  const { body } = await site.ask('GET', '/v1/projects?limit=2', { as: 'viewer' });
  expect(body.items).toHaveLength(2);
  expect(body.nextCursor).toBeNull();
  const first = await site.ask('GET', '/v1/projects?limit=1', { as: 'viewer' });
  expect(first.body.nextCursor).not.toBeNull();
});

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openSite, type Site } from './open-site.js';
import { readEvents, type SseMessage } from './read-events.js';

let site: Site;
let base: string;
beforeAll(async () => {
  site = await openSite({ heartbeatMs: 100 });
  base = await site.app.listen({ host: '127.0.0.1', port: 0 });
});
afterAll(() => site.close());

const QUOTA = { vmCount: 1, vcpuCount: 1, memoryBytes: 1, diskBytes: 1 };
let madeCount = 0;
const makeProject = async (): Promise<string> => {
  madeCount += 1;
  const body = { name: `p${madeCount}`, quota: QUOTA };
  return (await site.ask('POST', '/v1/projects', { as: 'admin', body })).body.id;
};
const streamOf = (query = '', headers: Record<string, string> = {}) =>
  readEvents(`${base}/v1/events${query}`, { authorization: `Bearer ${site.tokens.viewer.secret}`, ...headers });
const resourceOf = (message: SseMessage): string => JSON.parse(message.data).resourceId;

describe('the stream of events', () => {
  it('brings what happens from now on, in order', async () => {
    await makeProject();
    const stream = await streamOf();
    await stream.opened();
    const ids = [await makeProject(), await makeProject(), await makeProject()];
    const messages = await stream.take(3);
    expect(messages.map(resourceOf)).toEqual(ids);
    expect(messages.map((message) => message.event)).toEqual(['project.created', 'project.created', 'project.created']);
    expect(JSON.parse(messages[0]?.data ?? '')).toMatchObject({ id: messages[0]?.id, resourceKind: 'project' });
    stream.close();
  });

  it('loses nothing and repeats nothing for a reader that comes back again and again while things happen', async () => {
    const stream = await streamOf();
    let lastEventId = await stream.opened();
    stream.close();
    const wanted: string[] = [];
    const making = (async () => {
      for (let i = 0; i < 10; i += 1) wanted.push(...(await Promise.all([1, 2, 3, 4].map(makeProject))));
    })();
    const seen: string[] = [];
    while (seen.length < 40) {
      const part = await streamOf('', { 'last-event-id': lastEventId });
      for (const message of await part.take(Math.min(3, 40 - seen.length))) {
        seen.push(resourceOf(message));
        lastEventId = message.id;
      }
      part.close();
    }
    await making;
    expect(new Set(seen).size).toBe(40);
    expect([...seen].sort()).toEqual([...wanted].sort());
    const rest = await streamOf('', { 'last-event-id': lastEventId });
    const mark = await makeProject();
    expect((await rest.take(1)).map(resourceOf)).toEqual([mark]);
    rest.close();
  });

  it('can begin at a place given in the query, and the header goes before it', async () => {
    const stream = await streamOf();
    const start = await stream.opened();
    const [first, second] = [await makeProject(), await makeProject()];
    const messages = await stream.take(2);
    stream.close();
    const again = await streamOf(`?after=${start}`);
    expect((await again.take(2)).map(resourceOf)).toEqual([first, second]);
    again.close();
    const later = await streamOf(`?after=${start}`, { 'last-event-id': messages[0]?.id ?? '' });
    expect((await later.take(1)).map(resourceOf)).toEqual([second]);
    later.close();
  });

  it('filters by type and by object, and moves the place on past what was filtered out', async () => {
    const start = await streamOf();
    const from = await start.opened();
    start.close();
    const [one, other] = [await makeProject(), await makeProject()];
    const created = await site.ask('POST', '/v1/tokens', { as: 'admin', body: { name: 'x', role: 'viewer' } });

    const byObject = await streamOf(`?after=${from}&resourceId=${other}`);
    expect((await byObject.take(1)).map(resourceOf)).toEqual([other]);
    byObject.close();
    const byType = await streamOf(`?after=${from}&type=token,vm.state`);
    const [message] = await byType.take(1);
    expect(resourceOf(message as SseMessage)).toBe(created.body.id);
    const place = await byType.positionAfter(message?.id ?? '');
    byType.close();
    const next = await makeProject();
    const goneOn = await streamOf('', { 'last-event-id': place });
    const seen = (await goneOn.take(1)).map(resourceOf);
    expect(seen).toEqual([next]);
    expect(seen).not.toContain(one);
    goneOn.close();
  });

  it('shows a token of a project that project alone', async () => {
    const stream = await readEvents(`${base}/v1/events`, {
      authorization: `Bearer ${site.tokens.projectViewer.secret}`,
    });
    await stream.opened();
    await makeProject();
    const quota = { ...QUOTA, vmCount: 9 };
    await site.ask('PATCH', `/v1/projects/${site.project.id}/quota`, { as: 'admin', body: quota });
    const [message] = await stream.take(1);
    expect(message).toMatchObject({ event: 'project.quota' });
    stream.close();
  });

  it('beats while nothing happens, and ends soon after its token is revoked', async () => {
    const { body } = await site.ask('POST', '/v1/tokens', { as: 'admin', body: { name: 'short', role: 'viewer' } });
    const stream = await readEvents(`${base}/v1/events`, { authorization: `Bearer ${body.secret}` });
    await stream.opened();
    await stream.heartbeat();
    await site.ask('DELETE', `/v1/tokens/${body.id}`, { as: 'admin' });
    await stream.ended();
  });

  it.each([
    ['header.last-event-id', '', { 'last-event-id': 'nonsense' }],
    ['header.last-event-id', '', { 'last-event-id': '99999999999999999999-1' }],
    ['query.after', '?after=1;drop', {}],
    ['query.type', '?type=VM', {}],
    ['query.resourceId', '?resourceId=7', {}],
    ['query.since', '?since=1', {}],
  ])('refuses a wrong %s before it opens', async (field, query, headers) => {
    const answer = await site.ask('GET', `/v1/events${query}`, { as: 'viewer', headers });
    expect(answer).toMatchObject({ status: 400, body: { code: 'invalid_request', errors: [{ field }] } });
  });

  it('ends when the server stops, without being waited for', async () => {
    const other = await openSite();
    const address = await other.app.listen({ host: '127.0.0.1', port: 0 });
    const stream = await readEvents(`${address}/v1/events`, {
      authorization: `Bearer ${other.tokens.viewer.secret}`,
    });
    await stream.opened();
    await other.close();
    await stream.ended();
  });
});

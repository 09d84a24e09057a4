import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openSite, type Site } from './open-site.js';

let site: Site;
beforeAll(async () => {
  site = await openSite();
});
afterAll(() => site.close());

const as = 'projectOperator';
const APART = { kind: 'anti-affinity', level: 'host' };
const rules = [APART];

describe('VM groups', () => {
  it('are made, found, changed and deleted by an operator of the project', async () => {
    const group = await site.ask('POST', '/v1/vm-groups', { as, body: { name: 'web', rules } });
    expect(group).toMatchObject({ status: 201, headers: { etag: '"1"' } });
    const url = `/v1/vm-groups/${group.body.id}`;
    expect(group.headers['location']).toBe(url);
    expect(group.body).toMatchObject({ projectId: site.project.id, rules: [{ strength: 'hard', skewMax: null }] });
    const { violations, ...listed } = group.body;
    expect(violations).toEqual([]);
    expect((await site.ask('GET', '/v1/vm-groups?name=web', { as: 'projectViewer' })).body.items).toEqual([listed]);
    const change = {
      as,
      body: { rules: [{ ...APART, strength: 'soft' }] },
      headers: { 'if-match': '"1"' },
    } as const;
    expect(await site.ask('PATCH', url, change)).toMatchObject({ status: 200, headers: { etag: '"2"' } });
    expect(await site.ask('PATCH', url, change)).toMatchObject({ status: 412 });
    expect(await site.ask('DELETE', url, { as: 'projectViewer' })).toMatchObject({ status: 403 });
    expect(await site.ask('DELETE', url, { as })).toMatchObject({ status: 204 });
    expect(await site.ask('GET', url, { as })).toMatchObject({ status: 404 });
  });

  it('are made once under an Idempotency-Key, and not with another request under it', async () => {
    const headers = { 'idempotency-key': 'g-1' };
    const send = (level: string) =>
      site.ask('POST', '/v1/vm-groups', { as, headers, body: { name: 'once', rules: [{ kind: 'affinity', level }] } });
    const first = await send('rack');
    expect((await send('rack')).body.id).toBe(first.body.id);
    expect(await send('zone')).toMatchObject({ status: 409, body: { code: 'idempotency_conflict' } });
  });

  it.each([
    ['no rules', [], ''],
    ['a rule of no kind', [{ ...APART, kind: 'apart' }], '.0.kind'],
    ['a rule at no level', [{ ...APART, level: 'floor' }], '.0.level'],
    ['a rule of no strength', [{ ...APART, strength: 'firm' }], '.0.strength'],
    ['a skew of a rule that has none', [{ ...APART, skewMax: 2 }], '.0.skewMax'],
    ['a skew of nothing', [{ kind: 'spread', level: 'rack', skewMax: 0 }], '.0.skewMax'],
    ['a rule twice', [APART, { ...APART, strength: 'soft' }], '.1'],
    [
      'VMs of one rack in many',
      [
        { ...APART, level: 'zone' },
        { kind: 'affinity', level: 'rack' },
      ],
      '.1',
    ],
    ['rules without end', Array.from({ length: 10 }, () => APART), ''],
  ])('are refused for %s, by field, and nothing is changed', async (_what, wrong, field) => {
    const before = await site.contents();
    const refused = await site.ask('POST', '/v1/vm-groups', { as, body: { name: 'bad', rules: wrong } });
    expect(refused).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
    expect(refused.body.errors.map((error: { field: string }) => error.field)).toContain(`body.rules${field}`);
    expect(await site.contents()).toEqual(before);
  });
});

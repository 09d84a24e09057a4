import { afterAll, beforeAll, expect, it } from 'vitest';
import { openSite, type Site } from './open-site.js';

const ID = '019a0000-0000-7000-8000-000000000001';
const RANGES = '/v1/floating-ranges';
const ADDRESSES = '/v1/floating-addresses';

let site: Site;
beforeAll(async () => {
  site = await openSite();
});
afterAll(() => site.close());

it.each([
  '192.0.2.9-192.0.2.1',
  '192.0.2.1-192.0.2.9-192.0.2.20',
  '192.0.2.16/24',
  '192.0.2.1 dev eth0',
  '10.0.0.0/8',
  '127.0.0.1',
  '224.0.0.7',
  '100.64.0.1-100.64.0.9',
  '0.0.0.1-0.0.0.9',
  'fd00::1',
  7,
])('the range %s is refused by its field, and nothing is made', async (addresses) => {
  const answer = await site.ask('POST', RANGES, { as: 'admin', body: { name: 'internet', addresses } });
  expect(answer).toMatchObject({ status: 400, body: { errors: [{ field: 'body.addresses' }] } });
  expect((await site.ask('GET', RANGES, { as: 'admin' })).body.items).toEqual([]);
});

it.each([
  ['POST', RANGES, { addresses: '192.0.2.7' }, 400, 'invalid_request', 'body.name'],
  ['POST', ADDRESSES, { address: '192.0.2.300' }, 400, 'invalid_request', 'body.address'],
  ['POST', ADDRESSES, { portId: 'shop/web-1' }, 400, 'invalid_request', 'body.portId'],
  ['POST', ADDRESSES, { vmId: ID }, 400, 'invalid_request', 'body.vmId'],
  ['PATCH', `${ADDRESSES}/${ID}`, {}, 400, 'invalid_request', 'body.portId'],
  ['POST', ADDRESSES, { rangeId: ID }, 404, 'not_found', 'body.rangeId'],
  ['POST', ADDRESSES, {}, 409, 'conflict_state', 'body.rangeId'],
  ['POST', ADDRESSES, { portId: ID }, 404, 'not_found', 'body.portId'],
] as const)('%s %s of %j is %i %s and names %s', async (method, url, body, status, code, field) => {
  const answer = await site.ask(method, url, { as: 'admin', body });
  expect(answer).toMatchObject({ status, body: { code, errors: [{ field }] } });
  expect((await site.ask('GET', ADDRESSES, { as: 'admin' })).body.items).toEqual([]);
});

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openSite, type Site } from './open-site.js';

let site: Site;
beforeAll(async () => {
  site = await openSite();
});
afterAll(() => site.close());

const as = 'projectOperator';
const made = async (url: string, body: object) => {
  const answer = await site.ask('POST', url, { as, body });
  expect(answer).toMatchObject({ status: 201, headers: { etag: '"1"' } });
  return answer;
};

describe('networks, their ports and security groups', () => {
  it('are made, found, changed and deleted by an operator of the project', async () => {
    const network = await made('/v1/networks', { name: 'shop', cidr: '10.20.0.0/24', kind: 'vxlan' });
    const url = `/v1/networks/${network.body.id}`;
    expect(network.headers['location']).toBe(url);
    expect(network.body).toMatchObject({ gateway: '10.20.0.1', projectId: site.project.id, vni: expect.any(Number) });
    const group = await made('/v1/security-groups', { name: 'web' });
    expect(group.body.rules).toMatchObject([{ direction: 'egress', protocol: 'any', cidr: null }]);

    const port = await made(`${url}/ports`, { name: 'web-1', securityGroupIds: [group.body.id] });
    expect(port.headers['location']).toBe(`/v1/ports/${port.body.id}`);
    expect(port.body).toMatchObject({ address: '10.20.0.2', securityGroupIds: [group.body.id], vmId: null });
    const second = await made(`${url}/ports`, { address: '10.20.0.200' });

    const listed = await site.ask('GET', `${url}/ports?limit=1`, { as: 'projectViewer' });
    expect(listed.body.items).toEqual([port.body]);
    const next = await site.ask('GET', `${url}/ports?cursor=${listed.body.nextCursor}`, { as: 'projectViewer' });
    expect(next.body).toEqual({ items: [second.body], nextCursor: null });
    expect((await site.ask('GET', url, { as: 'projectViewer' })).body.portCount).toBe(2);

    for (const busy of [url, `/v1/security-groups/${group.body.id}`]) {
      expect(await site.ask('DELETE', busy, { as })).toMatchObject({ status: 409, body: { code: 'in_use' } });
    }
    const changed = await site.ask('PATCH', `/v1/ports/${port.body.id}`, {
      as,
      body: { securityGroupIds: [] },
      headers: { 'if-match': '"1"' },
    });
    expect(changed).toMatchObject({ status: 200, headers: { etag: '"2"' }, body: { securityGroupIds: [] } });
    for (const done of [
      `/v1/ports/${port.body.id}`,
      `/v1/ports/${second.body.id}`,
      url,
      `/v1/security-groups/${group.body.id}`,
    ]) {
      expect(await site.ask('DELETE', done, { as })).toMatchObject({ status: 204 });
      expect(await site.ask('GET', done, { as })).toMatchObject({ status: 404 });
    }
  });

  it('are made once under an Idempotency-Key, and not with another request under it', async () => {
    const headers = { 'idempotency-key': 'n-1' };
    const send = (cidr: string) => site.ask('POST', '/v1/networks', { as, headers, body: { name: 'once', cidr } });
    const first = await send('10.30.0.0/24');
    expect((await send('10.30.0.0/24')).body).toEqual(first.body);
    expect(await send('10.31.0.0/24')).toMatchObject({ status: 409, body: { code: 'idempotency_conflict' } });
    const port = (body: object) =>
      site.ask('POST', `/v1/networks/${first.body.id}/ports`, { as, headers: { 'idempotency-key': 'p-1' }, body });
    expect((await port({})).body).toEqual((await port({})).body);
  });

  it('are refused with the field and what to do', async () => {
    await made('/v1/networks', { name: 'left', cidr: '10.40.0.0/16' });
    const body = { name: 'right', cidr: '10.40.7.0/24' };
    expect(await site.ask('POST', '/v1/networks', { as, body })).toMatchObject({
      status: 409,
      body: {
        code: 'conflict_state',
        detail: "10.40.7.0/24 overlaps 10.40.0.0/16 of the project's network left; choose another range",
        errors: [{ field: 'body.cidr' }],
      },
    });
  });

  it('are not changed by who read them before another changed them', async () => {
    const { body } = await made('/v1/security-groups', { name: 'told', rules: [] });
    const rules = [{ direction: 'ingress', protocol: 'tcp', portMin: 443 }];
    const changed = await site.ask('PATCH', `/v1/security-groups/${body.id}`, { as, body: { rules } });
    expect(changed.body.rules).toMatchObject([{ portMin: 443, portMax: 443 }]);
    const stale = { as, body: { rules: [] }, headers: { 'if-match': '"1"' } } as const;
    expect(await site.ask('PATCH', `/v1/security-groups/${body.id}`, stale)).toMatchObject({ status: 412 });
  });

  it('have floating addresses of ranges that admins give, which are taken, changed and released', async () => {
    const ranges = '/v1/floating-ranges';
    const body = { name: 'internet', addresses: '192.0.2.16-192.0.2.31' };
    const range = await site.ask('POST', ranges, { as: 'admin', body });
    const at = `${ranges}/${range.body.id}`;
    expect(range).toMatchObject({ status: 201, headers: { location: at }, body: { addressCount: 16 } });
    const address = await made('/v1/floating-addresses', { rangeId: range.body.id });
    const url = address.headers['location'] as string;
    expect(address.body).toMatchObject({ address: '192.0.2.16', portId: null, projectId: site.project.id });
    expect((await site.ask('GET', `${ranges}?name=internet`, { as: 'projectViewer' })).body.items).toMatchObject([
      { id: range.body.id, allocatedCount: 1 },
    ]);
    const listed = await site.ask('GET', '/v1/floating-addresses?address=192.0.2.16', { as: 'projectViewer' });
    expect(listed.body.items).toEqual([address.body]);
    const network = await made('/v1/networks', { name: 'floating', cidr: '10.50.0.0/24' });
    const port = await made(`/v1/networks/${network.body.id}/ports`, {});
    // No host of this site makes networks.
    expect(await site.ask('PATCH', url, { as, body: { portId: port.body.id } })).toMatchObject({
      status: 409,
      body: { code: 'conflict_state', errors: [{ field: 'body.portId' }] },
    });
    const nowhere = await site.ask('PATCH', url, { as, body: { portId: null }, headers: { 'if-match': '"1"' } });
    expect(nowhere).toMatchObject({ status: 200, headers: { etag: '"1"' } });
    expect(await site.ask('DELETE', at, { as: 'admin' })).toMatchObject({ status: 409, body: { code: 'in_use' } });
    expect(await site.ask('DELETE', url, { as })).toMatchObject({ status: 204 });
    expect(await site.ask('GET', url, { as })).toMatchObject({ status: 404 });
    expect(await site.ask('DELETE', at, { as: 'admin' })).toMatchObject({ status: 204 });
  });
});

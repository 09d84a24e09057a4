import type { FloatingAddress, FloatingRange } from '@kvorum/client';
import { describe, expect, it } from 'vitest';
import { openDouble, page } from './double.js';
import { AT, idOf } from './shapes.js';

const PORT_ID = idOf(21);
const ADDRESS: FloatingAddress = {
  id: idOf(30),
  projectId: idOf(9),
  rangeId: idOf(31),
  address: '192.0.2.17',
  portId: PORT_ID,
  hostId: null,
  generation: 1,
  createdAt: AT,
  updatedAt: AT,
};
const RANGE: FloatingRange = {
  id: idOf(31),
  name: 'internet',
  firstAddress: '192.0.2.16',
  lastAddress: '192.0.2.31',
  addressCount: 16,
  allocatedCount: 1,
  createdAt: AT,
};
const made = (body: unknown) => ({ status: 201, body });
const at = `/v1/floating-addresses/${ADDRESS.id}`;
const routes = {
  'GET /v1/floating-ranges': page(RANGE),
  'POST /v1/floating-ranges': made(RANGE),
  [`DELETE /v1/floating-ranges/${RANGE.id}`]: { status: 204 },
  'GET /v1/floating-addresses': page(ADDRESS),
  'POST /v1/floating-addresses': made(ADDRESS),
  [`PATCH ${at}`]: { status: 200, body: ADDRESS },
  [`DELETE ${at}`]: { status: 204 },
};

describe('kvorum floating-address', () => {
  it('takes one of a range by name, for a port', async () => {
    const { run, calls } = await openDouble(routes);
    const { stdout } = await run(`floating-address create --range internet --port ${PORT_ID}`);
    expect(calls.at(-1)?.body).toEqual({ rangeId: RANGE.id, portId: PORT_ID });
    expect(calls.at(-1)?.headers['idempotency-key']).toBeDefined();
    expect(stdout).toMatchInlineSnapshot(`
      "address  192.0.2.17
      id       019a0000-0000-7000-8000-000000000030
      project  019a0000-0000-7000-8000-000000000009
      range    019a0000-0000-7000-8000-000000000031
      port     019a0000-0000-7000-8000-000000000021
      host     -
      created  2026-01-02T03:04:05.000Z
      changed  2026-01-02T03:04:05.000Z
      "
    `);
  });

  it('lists them', async () => {
    const { run } = await openDouble(routes);
    expect((await run('floating-address list')).stdout).toMatchInlineSnapshot(`
      "ADDRESS     PORT                                  HOST  ID
      192.0.2.17  019a0000-0000-7000-8000-000000000021  -     019a0000-0000-7000-8000-000000000030
      "
    `);
  });

  it('finds one by the address itself, leads it to a port, nowhere, and releases it', async () => {
    const { run, calls } = await openDouble(routes);
    await run(`floating-address associate 192.0.2.17 ${PORT_ID}`);
    expect(calls.at(-1)).toMatchObject({ call: `PATCH ${at}`, body: { portId: PORT_ID } });
    await run('floating-address dissociate 192.0.2.17');
    expect(calls.at(-1)).toMatchObject({ call: `PATCH ${at}`, body: { portId: null } });
    expect((await run('floating-address release 192.0.2.17')).stderr).toBe('released floating address 192.0.2.17\n');
    expect(calls.at(-1)?.call).toBe(`DELETE ${at}`);
  });
});

describe('kvorum floating-range', () => {
  it('makes, lists and deletes ranges', async () => {
    const { run, calls } = await openDouble(routes);
    await run('floating-range create internet --addresses 192.0.2.16-192.0.2.31');
    expect(calls.at(-1)?.body).toEqual({ name: 'internet', addresses: '192.0.2.16-192.0.2.31' });
    expect((await run('floating-range list')).stdout).toMatchInlineSnapshot(`
      "NAME      FIRST       LAST        TAKEN    ID
      internet  192.0.2.16  192.0.2.31  1 of 16  019a0000-0000-7000-8000-000000000031
      "
    `);
    expect((await run('floating-range delete internet')).stderr).toBe('deleted floating range internet\n');
  });
});

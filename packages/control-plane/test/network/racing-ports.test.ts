import type { Network, Port } from '@kvorum/schema';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createNetwork } from '../../src/network/create-network.js';
import { createPort } from '../../src/network/create-port.js';
import { deletePort } from '../../src/network/delete-port.js';
import { getNetwork } from '../../src/network/networks.js';
import { aName, aProject } from '../world/fleet-builder.js';
import { openTestControlPlane, type TestControlPlane } from '../world/test-control-plane.js';

const CLIENT_COUNT = 8;
/** `npm run test:ports` asks for every step by vitest's mode; the suite takes a share of them, for it must stay short. */
const { MODE } = (import.meta as { readonly env?: { readonly MODE?: string } }).env ?? {};
const STEP_COUNT = MODE === 'every-case' ? 10_000 : 500;
const PORTS_PER_CLIENT = MODE === 'every-case' ? 1000 : 125;
const PORT_COUNT = CLIENT_COUNT * PORTS_PER_CLIENT;
/** Only so that a test that hangs ends: machines are busy. */
const ENDLESS_MS = 1_200_000;

let test: TestControlPlane;
beforeAll(async () => {
  test = await openTestControlPlane();
});
afterAll(() => test.close());

const aNetwork = async (cidr: string): Promise<Network> => {
  const { id: projectId } = await aProject(test);
  return createNetwork(test.cp, test.admin, { name: aName('network'), projectId, kind: 'vxlan', cidr });
};
/** Statements that PostgreSQL rolled back, of this database: what was tried again would be among them. */
const rollbackCount = async (): Promise<number> => {
  await test.sql('SELECT pg_stat_force_next_flush()');
  const [row] = await test.sql<{ n: string }>(
    'SELECT xact_rollback AS n FROM pg_stat_database WHERE datname = current_database()',
  );
  return Number(row?.n);
};

describe('ports that many clients ask for at the same time', () => {
  it(`get an address each, ${PORT_COUNT} of ${CLIENT_COUNT} clients, and nobody has to try again`, {
    timeout: ENDLESS_MS,
  }, async () => {
    const network = await aNetwork('10.40.0.0/18');
    // Each with connections of its own, as another process has them.
    const clients = Array.from({ length: CLIENT_COUNT }, () => test.anotherProcess());
    const before = await rollbackCount();
    const made = await Promise.all(
      clients.map(async (cp) => {
        const ports: Port[] = [];
        for (let i = 0; i < PORTS_PER_CLIENT; i += 1) {
          ports.push(await createPort(cp, test.admin, network.id, { securityGroupIds: [] }));
        }
        return ports;
      }),
    );
    const ports = made.flat();
    expect(ports).toHaveLength(PORT_COUNT);
    expect(new Set(ports.map(({ address }) => address)).size).toBe(PORT_COUNT);
    expect(new Set(ports.map(({ macAddress }) => macAddress)).size).toBe(PORT_COUNT);
    expect((await rollbackCount()) - before).toBe(0);
    expect((await getNetwork(test.cp, test.admin, network.id)).portCount).toBe(PORT_COUNT);
  });

  it('get the last addresses, and the rest is told that there are none', async () => {
    const network = await aNetwork('10.41.0.0/27');
    const ends = await Promise.allSettled(
      Array.from({ length: 40 }, () => createPort(test.cp, test.admin, network.id, { securityGroupIds: [] })),
    );
    const given = ends.flatMap((end) => (end.status === 'fulfilled' ? [end.value.address] : []));
    expect([given.length, new Set(given).size]).toEqual([29, 29]);
    const codes = ends.flatMap((end) => (end.status === 'rejected' ? [end.reason.code] : []));
    expect(codes).toEqual(Array.from({ length: 11 }, () => 'quota_exceeded'));
  });

  it('and one address asked for by all of them goes to one', async () => {
    const network = await aNetwork('10.42.0.0/24');
    const ends = await Promise.allSettled(
      Array.from({ length: CLIENT_COUNT }, () =>
        createPort(test.cp, test.admin, network.id, { securityGroupIds: [], address: '10.42.0.9' }),
      ),
    );
    const codes = ends.map((end) => (end.status === 'fulfilled' ? 'made' : end.reason.code));
    expect(codes.sort()).toEqual([...Array.from({ length: CLIENT_COUNT - 1 }, () => 'already_exists'), 'made']);
  });
});

describe(`after ${STEP_COUNT} random steps of making and deleting`, () => {
  it('the network has the ports that are known, no address twice, and none is lost', {
    timeout: ENDLESS_MS,
  }, async () => {
    const network = await aNetwork('10.43.0.0/26');
    const steps = fc.sample(fc.nat({ max: 99 }), { numRuns: STEP_COUNT, seed: 1 });
    const known = new Map<string, Port>();
    for (const step of steps) {
      const victim = [...known.values()][step % Math.max(known.size, 1)];
      if (step % 5 < 2 && victim !== undefined) {
        await deletePort(test.cp, test.admin, victim.id);
        known.delete(victim.address);
      } else if (known.size < 61) {
        const port = await createPort(test.cp, test.admin, network.id, { securityGroupIds: [] });
        expect(known.has(port.address)).toBe(false);
        known.set(port.address, port);
      }
    }
    expect((await getNetwork(test.cp, test.admin, network.id)).portCount).toBe(known.size);
    while (known.size < 61) {
      const port = await createPort(test.cp, test.admin, network.id, { securityGroupIds: [] });
      known.set(port.address, port);
    }
    await expect(createPort(test.cp, test.admin, network.id, { securityGroupIds: [] })).rejects.toMatchObject({
      code: 'quota_exceeded',
    });
  });
});

import { createHash } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { FakeDriver, FakeMachine } from '@kvorum/hypervisor-driver';
import { type Agent, startAgent } from '@kvorum/node-agent';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { guestImage } from '../support/guest-images.js';
import { eventually } from './eventually.js';
import { MIB, operationEnd, type Site, startSite } from './site.js';

const HOST_COUNT = 10;
const VMS_PER_HOST = 5;
const CAPACITY = HOST_COUNT * VMS_PER_HOST;
const REQUEST_COUNT = 200;
const RACE_MS_MAX = 180_000;

/** Simulated hosts: the real agent over real gRPC and mTLS, on a driver in memory. */
describe(`${REQUEST_COUNT} creates racing for capacity of ${CAPACITY}`, () => {
  let site: Site;
  const agents: Agent[] = [];
  const runDirs: string[] = [];
  let body: Record<string, unknown>;

  beforeAll(async () => {
    site = await startSite({ hostNames: [] });
    for (let n = 0; n < HOST_COUNT; n += 1) {
      const name = `sim-${n}`;
      const { body: enrolment } = await site.rest.expect(201, 'POST', '/v1/host-enrolments', { hostName: name });
      const joinFile = path.join(site.folder, `${name}.join`);
      writeFileSync(joinFile, String(enrolment['joinToken']), { mode: 0o600 });
      const stateDir = path.join(site.folder, name);
      const runDir = path.join('/run/kvorum', `s${createHash('sha256').update(stateDir).digest('hex').slice(0, 8)}`);
      runDirs.push(runDir);
      agents.push(
        await startAgent({
          config: {
            stateDir,
            runDir,
            joinFile,
            enrolAddress: String(site.control.ready['enrol']),
            name,
            allowEmulation: true,
            capacityVcpus: VMS_PER_HOST,
            capacityMemoryBytes: 64 * 1024 * MIB,
          },
          driver: new FakeDriver(new FakeMachine()),
          log: { debug() {}, info() {}, warn() {}, error() {} },
        }),
      );
    }
    await eventually('all hosts are connected', 60_000, async () => {
      const answer = await site.rest.expect(200, 'GET', '/v1/hosts?connectivity=connected');
      return (answer.body['items'] as unknown[]).length === HOST_COUNT;
    });
    const imageId = await site.uploadImage('boot-sector', (await guestImage('boot-sector')).path);
    body = { imageId, flavorId: await site.createFlavor('one', 64, 1) };
  }, 180_000);
  afterAll(async () => {
    await Promise.all(agents.map((agent) => agent.close()));
    for (const runDir of runDirs) rmSync(runDir, { recursive: true, force: true });
    await site?.close();
  });

  test('places exactly as many as fit and refuses the rest with reasons', { timeout: RACE_MS_MAX }, async () => {
    const answers = await Promise.all(
      Array.from({ length: REQUEST_COUNT }, (_, n) =>
        site.rest.send('POST', '/v1/vms', { ...body, name: `racer-${n}` }),
      ),
    );
    const placed = answers.filter((answer) => answer.status === 202);
    const refused = answers.filter((answer) => answer.status === 507);
    const others = answers.filter((answer) => ![202, 507].includes(answer.status)).map((answer) => answer.body);
    expect({ placed: placed.length, refused: refused.length, others }).toEqual({
      placed: CAPACITY,
      refused: REQUEST_COUNT - CAPACITY,
      others: [],
    });
    for (const { body: problem } of refused) {
      expect(problem).toMatchObject({ code: 'no_capacity', status: 507 });
      expect(String(problem['detail'])).toContain('vCPU');
    }
    for (const answer of placed) {
      const operation = answer.body['operation'] as { id: string };
      expect(await operationEnd(site.rest, operation.id, RACE_MS_MAX)).toMatchObject({ state: 'succeeded' });
    }
  });

  test('overcommits no host, and the claims equal what runs', async () => {
    const client = new pg.Client({ connectionString: site.databaseUrl });
    await client.connect();
    const { rows } = await client.query(`
      SELECT name, reserved_vcpu_count AS reserved, capacity_vcpu_count AS capacity,
        (SELECT count(*)::int FROM reservations WHERE host_id = hosts.id) AS claims,
        (SELECT count(*)::int FROM vms WHERE host_id = hosts.id AND state = 'running') AS running
      FROM hosts ORDER BY name`);
    await client.end();
    expect(rows).toEqual(
      Array.from({ length: HOST_COUNT }, (_, n) => ({
        name: `sim-${n}`,
        reserved: VMS_PER_HOST,
        capacity: VMS_PER_HOST,
        claims: VMS_PER_HOST,
        running: VMS_PER_HOST,
      })),
    );
    expect(agents.map((agent) => agent.vmCount)).toEqual(Array.from({ length: HOST_COUNT }, () => VMS_PER_HOST));
  });
});

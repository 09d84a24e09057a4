import { chmodSync, mkdirSync, readdirSync, realpathSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { guestImage } from '../support/guest-images.js';
import { makeScratchFolder } from '../support/scratch-folder.js';
import { eventually } from './eventually.js';
import { type HostNamespaces, openHostNamespaces } from './host-namespaces.js';
import { leftovers } from './leftovers.js';
import { RandomSteps, seededRandom } from './random-steps.js';
import { type Site, startSite } from './site.js';

/** All of them by `npm run test:leaks`; a part with every `npm test`. */
const { MODE } = (import.meta as { readonly env?: { readonly MODE?: string } }).env ?? {};
const STEP_COUNT = MODE === 'every-case' ? 10_000 : 150;
const WORKER_COUNT = 6;
const STEPS_MS_MAX = STEP_COUNT * 2_000 + 300_000;
const SETTLED_MS_MAX = 120_000;
const REPORT_EVERY = 500;
const SEED = Number(process.env['KVORUM_TEST_SEED'] ?? Date.now() % 1_000_000);

/** Two hosts, each a network namespace with a real agent, real networks, a real pool and real QEMU processes. Needs root. */
describe.skipIf(process.getuid?.() !== 0)(`${STEP_COUNT} random steps of ${WORKER_COUNT} at once, seed ${SEED}`, () => {
  const scratch = makeScratchFolder();
  let places: HostNamespaces;
  let site: Site;
  let steps: RandomSteps;
  let before: string[][];

  beforeAll(async () => {
    // The users of VMs have to pass.
    chmodSync(scratch.path, 0o711);
    places = await openHostNamespaces('ktrnd', 2);
    before = await Promise.all(places.hosts.map((host) => host.traces()));
    const folders = places.hosts.map((_, index) => path.join(realpathSync(scratch.path), `pool-${index}`));
    for (const folder of folders) mkdirSync(folder, { mode: 0o711 });
    site = await startSite({
      hostNames: ['host-a', 'host-b'],
      address: places.address,
      places: places.hosts.map(({ address, through }, index) => ({
        ...{ address, through },
        flags: ['--networks', '--overlay-address', address, '--storage-pool', `pool-${index}=dir:${folders[index]}`],
      })),
    });
    const poolIds = await Promise.all([0, 1].map((index) => poolOf(`pool-${index}`)));
    const imageId = await site.uploadImage('boot-sector', (await guestImage('boot-sector')).path);
    const flavorId = await site.createFlavor('one', 64, 4);
    const hostIds = site.hosts.map(({ id }) => id);
    steps = new RandomSteps({ rest: site.rest, hostIds, poolIds, imageId, flavorId }, seededRandom(SEED));
  }, 180_000);
  afterAll(async () => {
    await site?.close();
    await places?.close();
    scratch.remove();
  });

  const poolOf = async (name: string): Promise<string> => {
    const pool = await eventually(`${name} is known`, SETTLED_MS_MAX, async () => {
      const { body } = await site.rest.expect(200, 'GET', `/v1/storage-pools?name=${name}`);
      return (body['items'] as { id: string }[])[0];
    });
    return pool.id;
  };
  /** Files of pools that are of volumes. */
  const filesOfPools = (): string[] =>
    [0, 1].flatMap((index) =>
      ['volumes', 'layers', 'quarantine'].flatMap((folder) => {
        const at = path.join(scratch.path, `pool-${index}`, folder);
        return readdirSync(at).map((name) => path.join(at, name));
      }),
    );

  test('end in nothing but what the record says, and are all answered', { timeout: STEPS_MS_MAX }, async () => {
    let left = STEP_COUNT;
    const startedAtMs = performance.now();
    const tell = (): void => {
      const seconds = Math.round((performance.now() - startedAtMs) / 1000);
      console.log(`${STEP_COUNT - left} steps, ${seconds} s: ${JSON.stringify(steps.counts)}`);
    };
    const work = async (): Promise<void> => {
      while (left > 0) {
        left -= 1;
        try {
          await steps.step();
        } catch (thrown) {
          // The others end as well: what is left is looked at by nobody who still makes something.
          left = 0;
          throw thrown;
        }
        if (left % REPORT_EVERY === 0 && left > 0) tell();
      }
    };
    await Promise.all(Array.from({ length: WORKER_COUNT }, work));
    tell();
    expect(steps.counts.done).toBeGreaterThan(STEP_COUNT / 4);
  });

  test('leave nothing on hosts and pools once everything is removed', { timeout: STEPS_MS_MAX }, async () => {
    await steps.removeAll();
    expect(await leftovers(site)).toEqual([]);
    expect(filesOfPools()).toEqual([]);
    // Networks are told to hosts, and made by them, a moment later.
    await eventually('networks are gone', SETTLED_MS_MAX, async () => {
      const now = await Promise.all(places.hosts.map((host) => host.traces()));
      return JSON.stringify(now.map(withoutTables)) === JSON.stringify(before.map(withoutTables));
    });
  });

  test('leave no row that claims room, and nothing that the reconcilers put right', async () => {
    const { body } = await site.rest.expect(200, 'GET', '/v1/leftovers');
    expect(body['items']).toEqual([]);
    for (const { id } of site.hosts) {
      const { body: swept } = await site.rest.expect(200, 'POST', `/v1/hosts/${id}/sweep`);
      expect(swept).toMatchObject({ leftovers: [], faults: [] });
    }
    const { body: pools } = await site.rest.expect(200, 'GET', '/v1/storage-pools');
    const rooms = (pools['items'] as { reservedBytes: number; volumeCount: number }[]).map((pool) => [
      pool.reservedBytes,
      pool.volumeCount,
    ]);
    expect(rooms).toEqual([
      [0, 0],
      [0, 0],
    ]);
  });
});

/** Our own tables stay, empty of ports: the rule set is replaced as a whole. */
const withoutTables = (traces: readonly string[]): string[] => traces.filter((trace) => !trace.includes('table '));

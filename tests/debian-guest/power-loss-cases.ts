import { beforeAll, describe, expect, test } from 'vitest';
import { seededRandom } from '../e2e/random-steps.js';
import { operationEnd } from '../e2e/site.js';
import {
  acknowledged,
  asked,
  expectAllInBoot,
  knownToBeOff,
  loseAndRegainPower,
  ROLES,
  snapshotOf,
  WRITTEN,
} from './after-power-loss.js';
import { CHANGE_MS_MAX, type DebianGuest, type DebianSite, HOOK_MS_MAX } from './debian-site.js';
import { loseAmidGrowths } from './growth-power-loss.js';
import { loseAmidMerges } from './merge-power-loss.js';
import { amid, expectWritten } from './pool-on-host.js';
import { installWriter, startWriter, type Writer } from './written-lines.js';

const SEED = Number(process.env['KVORUM_TEST_SEED'] ?? Date.now() % 1_000_000);

/** What is asked while the guest writes, when its power goes, and what is to be once it is back. */
interface Verb {
  /** Returns the operation under way, when the verb is in the middle of what it does. */
  begin(debian: DebianSite, guest: DebianGuest, writer: Writer): Promise<string>;
  /** How the operation may end. */
  readonly ends: readonly string[];
  /** With the host back, and the VM still off. */
  expectAfter(debian: DebianSite, guest: DebianGuest): Promise<void>;
}

/** A clone shows what the snapshot has; with all that was acknowledged before the snapshot was asked for. */
async function expectInClone(debian: DebianSite, guest: DebianGuest, name: string, line: number): Promise<void> {
  for (const role of ROLES) {
    const snapshotId = await snapshotOf(debian, guest.volumes[role], name);
    const from = { kind: 'snapshot', snapshotId, mode: 'linked' };
    const cloneId = await debian.done('POST', '/v1/volumes', { name: `${guest.name}-${name}-${role}`, from });
    await expectWritten(guest, { volumeId: cloneId, ...WRITTEN[role], acknowledged: line });
  }
}

function snapshot(): Verb {
  let before = -1;
  return {
    begin: async (debian, guest, writer) => {
      before = writer.acknowledged();
      const id = await asked(debian, 'POST', '/v1/volume-snapshots', { name: 'cut-off', vmId: guest.vmId });
      await amid(guest, guest.volumes.data, ({ pending }) => pending?.kind === 'snapshot');
      return id;
    },
    ends: ['succeeded', 'failed'],
    expectAfter: async (debian, guest) => {
      if ((await snapshotOf(debian, guest.volumes.data, 'cut-off')) === undefined) return;
      await expectInClone(debian, guest, 'cut-off', before);
    },
  };
}

function fullClone(): Verb {
  let before = -1;
  let cloneId = '';
  return {
    begin: async (debian, guest, writer) => {
      before = writer.acknowledged();
      await debian.done('POST', '/v1/volume-snapshots', { name: 'source', vmId: guest.vmId });
      const from = {
        kind: 'snapshot',
        snapshotId: await snapshotOf(debian, guest.volumes.root, 'source'),
        mode: 'full',
      };
      const answer = await debian.site.rest.expect(202, 'POST', '/v1/volumes', { name: 'copy', from });
      cloneId = String(answer.body['resourceId']);
      await amid(guest, cloneId, ({ state }) => state === 'copying');
      return (answer.body['operation'] as { id: string }).id;
    },
    ends: ['succeeded'],
    expectAfter: (_, guest) => expectWritten(guest, { volumeId: cloneId, ...WRITTEN.root, acknowledged: before }),
  };
}

async function loseAmid(debian: DebianSite, guest: DebianGuest, verb: Verb): Promise<void> {
  const writer = await startWriter(debian, guest.name, acknowledged[guest.name]);
  const operationId = await verb.begin(debian, guest, writer);
  const layerCount = await loseAndRegainPower(guest, writer);
  const end = await operationEnd(debian.site.rest, operationId, CHANGE_MS_MAX);
  expect(verb.ends, JSON.stringify(end)).toContain(end['state']);
  await knownToBeOff(debian, guest);
  await verb.expectAfter(debian, guest);
  await expectAllInBoot(debian, guest);
  console.log(`${guest.name}: ${acknowledged[guest.name] + 1} lines acknowledged, ${layerCount} layers`);
}

/** What a guest has flushed is there after a loss of power, whatever its host was doing to its disks. */
export function powerLossCases(debian: () => DebianSite): void {
  describe('whose host loses power', () => {
    beforeAll(async () => {
      for (const { name } of Object.values(debian().guests)) await installWriter(debian(), name);
    }, HOOK_MS_MAX);

    test(
      'have all that they flushed after a loss of power amid a snapshot, and amid a full clone',
      async () => {
        const { web, db } = debian().guests;
        await Promise.all([loseAmid(debian(), web, snapshot()), loseAmid(debian(), db, fullClone())]);
      },
      HOOK_MS_MAX,
    );

    test(
      `have all that they flushed after losses of power amid merges, and amid growths, seed ${SEED}`,
      async () => {
        const { web, db } = debian().guests;
        await Promise.all([
          loseAmidMerges(debian(), web, seededRandom(SEED)),
          loseAmidGrowths(debian(), db, seededRandom(SEED + 1)),
        ]);
      },
      HOOK_MS_MAX,
    );
  });
}

import { beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../e2e/eventually.js';
import { operationEnd } from '../e2e/site.js';
import { CHANGE_MS_MAX, type DebianGuest, type DebianSite, HOOK_MS_MAX, SEEN_MS_MAX } from './debian-site.js';
import { losePower } from './lose-power.js';
import { amid, expectSoundLayers, expectWritten } from './pool-on-host.js';
import { expectWrittenInGuest, installWriter, startWriter, type Writer } from './written-lines.js';

/** Of both guests: the last line that was acknowledged before their power went. */
const acknowledged = { web: -1, db: -1 };

/** What is asked while the guest writes, when its power goes, and what is to be once it is back. */
interface Verb {
  /** Returns the operation under way, when the verb is in the middle of what it does. */
  begin(debian: DebianSite, guest: DebianGuest, writer: Writer): Promise<string>;
  /** How the operation may end. */
  readonly ends: readonly string[];
  /** With the host back, and the VM still off. */
  expectAfter(debian: DebianSite, guest: DebianGuest): Promise<void>;
}

const WRITTEN = { root: { startMib: 1, file: '/var/lib/written' }, data: { startMib: 0, file: '/written' } };

async function asked({ site }: DebianSite, method: string, url: string, body?: object): Promise<string> {
  const answer = await site.rest.expect(202, method, url, body);
  return (answer.body['operation'] as { id: string }).id;
}

async function snapshotOf({ site }: DebianSite, volumeId: string, name: string): Promise<string | undefined> {
  const { body } = await site.rest.expect(200, 'GET', `/v1/volume-snapshots?volumeId=${volumeId}&name=${name}`);
  return (body['items'] as { id: string }[])[0]?.id;
}

/** A clone shows what the snapshot has; with all that was acknowledged before the snapshot was asked for. */
async function expectInClone(debian: DebianSite, guest: DebianGuest, name: string, line: number): Promise<void> {
  for (const role of ['root', 'data'] as const) {
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
  const { site } = debian;
  const writer = await startWriter(debian, guest.name, acknowledged[guest.name]);
  const operationId = await verb.begin(debian, guest, writer);
  await losePower(guest);
  await writer.ended();
  acknowledged[guest.name] = writer.acknowledged();
  const layerCount = await expectSoundLayers(guest);
  await guest.host.restartAgent('kill');
  const end = await operationEnd(site.rest, operationId, CHANGE_MS_MAX);
  expect(verb.ends, JSON.stringify(end)).toContain(end['state']);
  await eventually(`${guest.name} is known to be off`, SEEN_MS_MAX, async () => {
    const { body } = await site.rest.expect(200, 'GET', `/v1/vms/${guest.vmId}`);
    return ['failed', 'stopped'].includes(String(body['state']));
  });
  await verb.expectAfter(debian, guest);
  for (const role of ['root', 'data'] as const) {
    const at = { volumeId: guest.volumes[role], ...WRITTEN[role], acknowledged: acknowledged[guest.name] };
    await expectWritten(guest, at);
  }
  await expectSoundLayers(guest);
  await debian.done('POST', `/v1/vms/${guest.vmId}/start`);
  await debian.answering(guest.name);
  await expectWrittenInGuest(debian, guest.name, acknowledged[guest.name]);
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
  });
}

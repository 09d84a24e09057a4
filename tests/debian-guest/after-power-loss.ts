import { eventually } from '../e2e/eventually.js';
import { CHANGE_MS_MAX, type DebianGuest, type DebianSite } from './debian-site.js';
import { losePower } from './lose-power.js';
import { expectSoundLayers, expectWritten } from './pool-on-host.js';
import { expectWrittenInGuest, type Writer } from './written-lines.js';

export const ROLES = ['data', 'root'] as const;
export type Role = (typeof ROLES)[number];
/** Where a disk's file system starts, and what the writer's file is called in it. */
export const WRITTEN = { root: { startMib: 1, file: '/var/lib/written' }, data: { startMib: 0, file: '/written' } };

/** Of both guests: the last line that was acknowledged before their power went. */
export const acknowledged = { web: -1, db: -1 };

/** Returns the operation. */
export async function asked({ site }: DebianSite, method: string, url: string, body?: object): Promise<string> {
  const answer = await site.rest.expect(202, method, url, body);
  return (answer.body['operation'] as { id: string }).id;
}

export async function snapshotOf({ site }: DebianSite, volumeId: string, name: string): Promise<string | undefined> {
  const { body } = await site.rest.expect(200, 'GET', `/v1/volume-snapshots?volumeId=${volumeId}&name=${name}`);
  return (body['items'] as { id: string }[])[0]?.id;
}

/** The host is off and on again, with sound layers in between. Returns how many there were. */
export async function loseAndRegainPower(guest: DebianGuest, writer: Writer | null): Promise<number> {
  await losePower(guest);
  if (writer !== null) {
    await writer.ended();
    acknowledged[guest.name] = writer.acknowledged();
  }
  const layerCount = await expectSoundLayers(guest);
  await guest.host.restartAgent('kill');
  return layerCount;
}

export async function knownToBeOff({ site }: DebianSite, { name, vmId }: DebianGuest): Promise<void> {
  await eventually(`${name} is known to be off`, CHANGE_MS_MAX, async () => {
    const { body } = await site.rest.expect(200, 'GET', `/v1/vms/${vmId}`);
    return ['failed', 'stopped'].includes(String(body['state']));
  });
}

/** On the closed files, and then in the guest, which boots from them. */
export async function expectAllInBoot(debian: DebianSite, guest: DebianGuest): Promise<void> {
  for (const role of ROLES) {
    const at = { volumeId: guest.volumes[role], ...WRITTEN[role], acknowledged: acknowledged[guest.name] };
    await expectWritten(guest, at);
  }
  await expectSoundLayers(guest);
  await debian.done('POST', `/v1/vms/${guest.vmId}/start`);
  await debian.answering(guest.name);
  await expectWrittenInGuest(debian, guest.name, acknowledged[guest.name]);
}

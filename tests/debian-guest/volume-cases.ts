import { expect, test } from 'vitest';
import { eventually } from '../e2e/eventually.js';
import { MIB } from '../e2e/site.js';
import { DATA_DISK, DATA_MIB, type DebianSite, HOOK_MS_MAX, ROOT_MIB, SEEN_MS_MAX } from './debian-site.js';

const GROWN_MIB = 64;
const FILES = '/srv/data';
/** Several files, so that a file system that was not halted would be seen to lack some. */
const WRITE = `set -e; for n in 1 2 3 4; do head -c 3000000 /dev/urandom >${FILES}/file$n; done`;
const CHECKSUMS = `cd ${FILES} && sha256sum file* && ls`;
const SIZE = `lsblk -bnd -o SIZE "$(readlink -f ${DATA_DISK})"`;
const ROOT_SIZES = 'lsblk -bno SIZE /dev/vda';
const ROOT_FILE_SYSTEM = 'df -B1 --output=size / | tail -n 1';

/** What is promised of volumes on a pool, as a whole Debian sees it. One guest: the other is left as it is. */
export function volumeCases(debian: () => DebianSite): void {
  const before = { checksums: '', rootBytes: 0 };

  test('are halted for a snapshot of all their volumes, and go on', async () => {
    const { told, done, site, guests } = debian();
    await told('web', `mkfs.ext4 -q ${DATA_DISK} && mkdir -p ${FILES} && mount ${DATA_DISK} ${FILES}`);
    await told('web', WRITE);
    before.checksums = await told('web', CHECKSUMS);
    await done('POST', '/v1/volume-snapshots', { name: 'before', vmId: guests.web.vmId, freeze: 'required' });
    const { body } = await site.rest.expect(200, 'GET', `/v1/volume-snapshots?vmId=${guests.web.vmId}`);
    const found = (body['items'] as Record<string, unknown>[]).map(({ name, state, wasFrozen }) => {
      return { name, state, wasFrozen };
    });
    const clean = { name: 'before', state: 'available', wasFrozen: true };
    expect(found).toEqual([clean, clean]);
    await told('web', `${WRITE}; touch ${FILES}/since; sync`);
    expect(await told('web', CHECKSUMS)).not.toBe(before.checksums);
  });

  test('see their disks grow while they run', async () => {
    const { told, done, guests } = debian();
    const { volumes } = guests.web;
    await done('PATCH', `/v1/volumes/${volumes.data}`, { sizeBytes: (DATA_MIB + GROWN_MIB) * MIB });
    await eventually('the larger data disk', SEEN_MS_MAX, async () => {
      return Number(await told('web', SIZE)) === (DATA_MIB + GROWN_MIB) * MIB;
    });
    before.rootBytes = Number(await told('web', ROOT_FILE_SYSTEM));
    await done('PATCH', `/v1/volumes/${volumes.root}`, { sizeBytes: (ROOT_MIB + GROWN_MIB) * MIB });
    await eventually('the larger root disk', SEEN_MS_MAX, async () => {
      return Number((await told('web', ROOT_SIZES)).split('\n')[0]) === (ROOT_MIB + GROWN_MIB) * MIB;
    });
  });

  const title = 'have after a revert what their snapshot had, and grow into their root disk when they boot';
  test(title, { timeout: HOOK_MS_MAX }, async () => {
    const { told, done, booted, site, guests } = debian();
    const { vmId, volumes } = guests.web;
    await done('POST', `/v1/vms/${vmId}/stop`);
    const asked = await site.rest.expect(200, 'GET', `/v1/volume-snapshots?volumeId=${volumes.data}&name=before`);
    const [snapshot] = asked.body['items'] as { id: string }[];
    await done('POST', `/v1/volume-snapshots/${snapshot?.id}/revert`);
    await done('POST', `/v1/vms/${vmId}/start`);
    await booted('web');
    expect(await told('web', `e2fsck -fn ${DATA_DISK} >/dev/null 2>&1; echo $?`)).toBe('0');
    await told('web', `mount ${DATA_DISK} ${FILES}`);
    expect(await told('web', CHECKSUMS)).toBe(before.checksums);
    expect(Number(await told('web', SIZE))).toBe(DATA_MIB * MIB);
    // Once at least half of what was added is there: a file system keeps some for itself.
    expect(Number(await told('web', ROOT_FILE_SYSTEM))).toBeGreaterThan(before.rootBytes + (GROWN_MIB / 2) * MIB);
    await told('web', `umount ${FILES}`);
  });
}

import { statfs } from 'node:fs/promises';
import { MIB } from '@kvorum/schema';
import type { VmHost } from './vm-host.js';
import type { VmRecord } from './vm-record.js';

/** Less than this and the next write of the guest would stop it again. */
const FREE_DISK_BYTES_MIN = 64 * MIB;

/** What a VM waits for that stands still for want of room; null: there is room wherever it writes. */
export async function lackingRoom({ folders, pools }: VmHost, record: VmRecord): Promise<string | null> {
  const { vmId, volumes, claims } = record;
  if (Object.keys(volumes).length > 0) {
    const { bavail, bsize } = await statfs(folders.disksOf(vmId));
    if (bavail * bsize < FREE_DISK_BYTES_MIN) return `${FREE_DISK_BYTES_MIN} bytes of room on its host`;
  }
  for (const poolId of new Set(claims.map((claim) => claim.poolId))) {
    if (!(await pools.hasRoom(poolId))) return `storage pool ${poolId} to be below its high-water mark`;
  }
  return null;
}

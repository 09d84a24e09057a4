import { statfs } from 'node:fs/promises';
import type { StoragePool } from '@kvorum/host-storage';
import { DomainError, MIB } from '@kvorum/schema';
import type { StateFolders } from '../state/state-folders.js';
import { type PublishedPart, publishFile } from './publish-file.js';

/** Of the file system: VMs write to it as well, and stand still when there is none. */
const KEPT_FREE_SHARE = 0.1;
/** Tables of a new file, beside its content. */
const TABLE_SHARE = 0.01;
const TABLE_BYTES = 16 * MIB;

/** A volume that nobody has open as a file of its own. */
export const publishVolume = (
  folders: StateFolders,
  pool: StoragePool,
  volumeId: string,
  signal: AbortSignal,
): AsyncGenerator<PublishedPart> =>
  publishFile(folders, signal, async (path, onProgress) => {
    const { sizeBytes } = await pool.observeVolume(volumeId);
    const spareBytes = await spareBytesOf(folders.publishing);
    const bytesMax = Math.min(spareBytes, Math.ceil(sizeBytes * (1 + TABLE_SHARE)) + TABLE_BYTES);
    if (bytesMax < TABLE_BYTES) {
      throw new DomainError('no_capacity', 'the host has no room to publish the volume', { details: { spareBytes } });
    }
    await pool.copyOut({ volumeId, path, bytesMax }, { signal, onProgress });
  });

async function spareBytesOf(folder: string): Promise<number> {
  const { bsize, blocks, bavail } = await statfs(folder);
  return Math.max(0, Math.floor(bavail * bsize - blocks * bsize * KEPT_FREE_SHARE));
}

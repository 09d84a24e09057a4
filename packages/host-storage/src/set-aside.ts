import { lstat, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { syncPath } from './durable-file.js';
import { type DirectoryPool, invalidField } from './open-volume.js';
import type { SetAsideData } from './storage-pool.js';

const STAT_BLOCK_BYTES = 512;
/** NAME_MAX of Linux (limits.h). Of other names nobody could say which is meant. */
const NAME = /^(?!\.{1,2}$)[\x21-\x2e\x30-\x7e]{1,255}$/;

/** Port: StoragePool.listSetAside. */
export async function listSetAside({ quarantineFolder }: DirectoryPool): Promise<SetAsideData[]> {
  const found: SetAsideData[] = [];
  for (const name of (await readdir(quarantineFolder)).sort()) {
    if (!NAME.test(name)) continue;
    const bytes = await allocatedBytesOf(join(quarantineFolder, name));
    if (bytes !== null) found.push({ name, bytes });
  }
  return found;
}

/** Port: StoragePool.removeSetAside. */
export async function removeSetAside({ quarantineFolder }: DirectoryPool, name: string): Promise<void> {
  if (!NAME.test(name)) throw invalidField('name', 'must be one that listSetAside has given');
  await rm(join(quarantineFolder, name), { recursive: true, force: true });
  await syncPath(quarantineFolder);
}

/** Null: it is gone meanwhile. */
async function allocatedBytesOf(path: string): Promise<number | null> {
  const facts = await lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  if (facts === null) return null;
  let sum = facts.blocks * STAT_BLOCK_BYTES;
  if (!facts.isDirectory()) return sum;
  for (const name of await readdir(path)) sum += (await allocatedBytesOf(join(path, name))) ?? 0;
  return sum;
}

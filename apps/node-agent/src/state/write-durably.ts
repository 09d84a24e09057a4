import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Only root, or whoever runs the agent, may read what the agent keeps. */
const FILE_MODE = 0o600;
export const TEMPORARY_SUFFIX = '.tmp';

/**
 * Replaces a file so that a crash or a power cut at any moment leaves the old content or the new one, never a mix, and
 * so that the new one is on the disk when this resolves. One writer per path: the temporary name is fixed, which is why
 * leftovers of a crash never pile up.
 */
export async function writeDurably(path: string, content: string | Uint8Array): Promise<void> {
  const temporary = `${path}${TEMPORARY_SUFFIX}`;
  // Removed first: an existing file would keep its old mode, and a planted link would be followed.
  await rm(temporary, { force: true });
  const file = await open(temporary, 'wx', FILE_MODE);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
  await syncFolder(dirname(path));
}

/** Makes a rename, creation or removal inside the folder survive a power cut: fsync(2) on the folder itself. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Only root, or whoever runs the agent, may read what the agent keeps. */
const FILE_MODE = 0o600;
export const TEMPORARY_SUFFIX = '.tmp';

/**
 * Replaces a file so that a crash or a power cut leaves the old content or the new one, never a mix, and so that the new one is
 * on the disk when this resolves. One writer per path: the temporary name is fixed, so leftovers of a crash never pile up.
 */
export async function replaceFile(path: string, content: string | Uint8Array): Promise<void> {
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
  await moveFile(temporary, path);
}

/** rename(2), durable when it resolves: a name is on the disk only once its folder is (fsync(2)). Both in one folder. */
export async function moveFile(from: string, to: string): Promise<void> {
  await rename(from, to);
  await syncPath(dirname(to));
}

/** Removes a file durably. No error if it is not there. */
export async function removeFile(path: string): Promise<void> {
  await rm(path, { force: true });
  await syncPath(dirname(path));
}

/** fsync(2) of a file or folder. */
export async function syncPath(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

import { randomBytes } from 'node:crypto';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type ControlPlane, createFirstToken } from '@kvorum/control-plane';

const OWNER_ONLY = 0o600;

/** Makes the first admin token, if there is none at all, and keeps it in a file that only its owner can read. */
export async function keepFirstToken(cp: ControlPlane, path: string): Promise<void> {
  const token = await createFirstToken(cp, (secret) => writeSecret(path, secret));
  if (token !== null) cp.log.info({ path, tokenId: token.id }, 'made the first admin token');
}

/** Whole or not at all, and on the disk when it returns. */
async function writeSecret(path: string, secret: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const draft = `${path}.${randomBytes(6).toString('hex')}`;
  try {
    const file = await open(draft, 'wx', OWNER_ONLY);
    try {
      await file.writeFile(`${secret}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(draft, path);
  } finally {
    await rm(draft, { force: true });
  }
}

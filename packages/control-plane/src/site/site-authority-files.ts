import { chmod, mkdir, mkdtemp, open, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';

/** The CA as it lies on disk. */
export interface AuthorityFiles {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
}

const FOLDER_MODE = 0o700;
const CERTIFICATE_MODE = 0o644;
const KEY_MODE = 0o600;

/**
 * Reads `<dataDir>/ca`, or makes it with what `create` gives. The folder appears whole, by one rename: a crash leaves no
 * certificate without its key, and of several processes that start at once one wins and the others read its files.
 */
export async function loadOrCreateAuthority(
  dataDir: string,
  create: () => Promise<AuthorityFiles>,
): Promise<AuthorityFiles> {
  const folder = join(dataDir, 'ca');
  const found = await readAuthority(folder);
  if (found !== null) return found;
  await mkdir(dataDir, { recursive: true });
  const made = await create();
  const draft = await mkdtemp(join(dataDir, 'ca-draft-'));
  try {
    await chmod(draft, FOLDER_MODE);
    await writeDurably(join(draft, 'ca.key'), made.privateKeyPem, KEY_MODE);
    await writeDurably(join(draft, 'ca.crt'), made.certificatePem, CERTIFICATE_MODE);
    await rename(draft, folder);
    await syncFolder(dataDir);
    return made;
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    // rename(2) onto a folder that is not empty: another process was first.
    if (!isErrno(error, 'ENOTEMPTY', 'EEXIST')) throw error;
    const winner = await readAuthority(folder);
    if (winner === null) throw error;
    return winner;
  }
}

async function readAuthority(folder: string): Promise<AuthorityFiles | null> {
  try {
    return {
      certificatePem: await readFile(join(folder, 'ca.crt'), 'utf8'),
      privateKeyPem: await readFile(join(folder, 'ca.key'), 'utf8'),
    };
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return null;
    throw error;
  }
}

async function writeDurably(path: string, content: string, mode: number): Promise<void> {
  const file = await open(path, 'wx', mode);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

const isErrno = (error: unknown, ...codes: string[]): boolean =>
  error instanceof Error && 'code' in error && codes.includes(String(error.code));

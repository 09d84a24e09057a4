import { randomUUID } from 'node:crypto';
import { chmod, link, mkdir, readdir, readFile, realpath, rm, stat } from 'node:fs/promises';
import { isAbsolute, join, resolve } from 'node:path';
import { DomainError } from '@kvorum/schema';
import { z } from 'zod';
import { replaceFile, syncPath } from './durable-file.js';
import { POOL_DRIVERS, type PoolDriverName } from './pool-drivers.js';

const MARKER_NAME = 'pool.json';
/** May be in a folder that is taken as a pool: mke2fs(8) makes it. */
const OF_THE_FILE_SYSTEM = ['lost+found'];
/** One may pass, not look: VMs' processes have users of their own. */
const PASSABLE_MODE = 0o711;
const PRIVATE_MODE = 0o700;
const PATH_LENGTH_MAX = 1024;

const Marker = z.strictObject({
  formatVersion: z.literal(1),
  poolId: z.uuid(),
  driver: z.enum(Object.keys(POOL_DRIVERS) as [PoolDriverName, ...PoolDriverName[]]),
  /** Whose it is, where only one host may have it. */
  hostId: z.uuid().nullable(),
});

export interface PoolIdentity {
  /** Null: whichever is there. */
  readonly poolId: string | null;
  readonly driver: PoolDriverName;
  readonly hostId: string;
}

export interface PoolFolders {
  readonly poolId: string;
  readonly root: string;
  readonly volumes: string;
  readonly layers: string;
  readonly locks: string;
  readonly tombstones: string;
  readonly quarantine: string;
}

/**
 * Opens the folder as the pool, or makes an empty one the pool where `mayInitialise`. The marker keeps us from writing volumes into
 * the bare mount point of a file system that is not mounted, and into another pool.
 */
export async function openFolders(path: string, pool: PoolIdentity, mayInitialise: boolean): Promise<PoolFolders> {
  await assertFolder(path);
  const marker = await readMarker(path);
  if (marker === null) {
    if (!mayInitialise) {
      throw new DomainError('host_fault', `${path} holds no storage pool: is its file system mounted?`);
    }
    const others = (await readdir(path)).filter((name) => !OF_THE_FILE_SYSTEM.includes(name));
    if (others.length > 0 && !others.every((name) => name.startsWith(`${MARKER_NAME}.`))) {
      throw invalidPath(`${path} is not empty; a new pool needs an empty folder`);
    }
    await makeMarker(path, pool);
    return openFolders(path, pool, false);
  }
  assertSame(path, marker, pool);
  return makeFolders(path, marker.poolId);
}

/** Of hosts that meet in a new shared pool one is the first; the others find its marker. */
async function makeMarker(path: string, { poolId, driver, hostId }: PoolIdentity): Promise<void> {
  const marker = {
    formatVersion: 1,
    poolId: poolId ?? randomUUID(),
    driver,
    hostId: POOL_DRIVERS[driver].isShared ? null : hostId,
  };
  const draft = join(path, `${MARKER_NAME}.${randomUUID()}`);
  await replaceFile(draft, `${JSON.stringify(marker)}\n`);
  // link(2) replaces nothing.
  await link(draft, join(path, MARKER_NAME)).catch((thrown: NodeJS.ErrnoException) => {
    if (thrown.code !== 'EEXIST') throw thrown;
  });
  await rm(draft);
  await syncPath(path);
}

async function makeFolders(root: string, poolId: string): Promise<PoolFolders> {
  const folders = {
    root,
    volumes: join(root, 'volumes'),
    layers: join(root, 'layers'),
    locks: join(root, 'locks'),
    tombstones: join(root, 'tombstones'),
    quarantine: join(root, 'quarantine'),
  };
  for (const [name, folder] of Object.entries(folders)) {
    if (name !== 'root') await mkdir(folder, { recursive: true, mode: PRIVATE_MODE });
  }
  // Apart from mkdir(2), whose mode the umask of a service cuts down.
  await chmod(folders.layers, PASSABLE_MODE);
  await syncPath(root);
  return { ...folders, poolId };
}

/** A link could be turned elsewhere later, and `..` would reach out of what the host's operator allowed. */
async function assertFolder(path: string): Promise<void> {
  if (path.length > PATH_LENGTH_MAX || path.includes('\0') || !isAbsolute(path) || resolve(path) !== path) {
    throw invalidPath('must be an absolute path without "." and ".." and without "/" at its end');
  }
  const found = await stat(path).catch(() => null);
  if (found === null || !found.isDirectory()) throw invalidPath(`${path} is not a folder of this host`);
  const real = await realpath(path);
  if (real !== path) throw invalidPath(`${path} leads through a symbolic link to ${real}; name that`);
}

async function readMarker(path: string): Promise<z.infer<typeof Marker> | null> {
  let text: string;
  try {
    text = await readFile(join(path, MARKER_NAME), 'utf8');
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw new DomainError('host_fault', `${path} cannot be read: ${(thrown as Error).message}`, { cause: thrown });
  }
  try {
    return Marker.parse(JSON.parse(text));
  } catch (thrown) {
    throw new DomainError('host_fault', `${MARKER_NAME} in ${path} is not one of ours`, { cause: thrown });
  }
}

function assertSame(path: string, marker: z.infer<typeof Marker>, pool: PoolIdentity): void {
  if (pool.poolId !== null && marker.poolId !== pool.poolId) {
    throw new DomainError('conflict_state', `${path} holds another storage pool: ${marker.poolId}`);
  }
  if (marker.driver !== pool.driver) {
    throw new DomainError('conflict_state', `${path} was made as ${marker.driver}, not as ${pool.driver}`);
  }
  if (marker.hostId !== null && marker.hostId !== pool.hostId) {
    throw new DomainError(
      'conflict_state',
      `${path} belongs to host ${marker.hostId} alone; a folder for several hosts is a pool of the driver shared-dir`,
    );
  }
}

const invalidPath = (message: string): DomainError =>
  new DomainError('invalid_request', message, { details: { fields: [{ field: 'path', message }] } });

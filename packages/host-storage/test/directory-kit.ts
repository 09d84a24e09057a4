import { randomUUID } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type DirectoryPoolOptions, openDirectoryPool, POOL_DRIVERS } from '../src/index.js';
import type { Scratch } from './file-systems.js';
import type { OpenMore, PoolKit, TestedPool } from './pool-kit.js';

export interface DirectoryKit extends PoolKit {
  open(more?: OpenMore & { path?: string }): Promise<TestedPool & { readonly path: string }>;
}

const isDirectory = (pool: TestedPool): pool is TestedPool & { path: string } => 'path' in pool;

export function directoryKit(
  driver: DirectoryPoolOptions['driver'],
  fileSystem: string,
  scratch: Scratch,
  hasReflink: boolean,
): DirectoryKit {
  return {
    title: `a ${driver} pool on ${fileSystem}`,
    driver,
    capabilities: { ...POOL_DRIVERS[driver], hasReflink },
    chainAfter: (snapshotCount) => snapshotCount + 1,
    clonesRestOnSource: true,
    newFolder: () => scratch.newFolder(),
    async open({ beside, ...more } = {}) {
      const path = beside !== undefined && isDirectory(beside) ? beside.path : scratch.newFolder();
      const options: DirectoryPoolOptions = {
        poolId: beside?.id ?? randomUUID(),
        hostId: randomUUID(),
        driver,
        path,
        mayInitialise: true,
        highWaterRatio: 1,
        ...more,
      };
      return {
        ...(await openDirectoryPool(options)),
        path: options.path,
        pieces: async () => readdirSync(join(options.path, 'layers')),
        recorded: async () => readdirSync(join(options.path, 'volumes')),
      };
    },
  };
}

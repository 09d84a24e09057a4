import { join } from 'node:path';
import type { AgentConfig } from '../config.js';
import type { Identity } from '../enrol/identity.js';
import type { Log } from '../log.js';
import type { StateFolders } from '../state/state-folders.js';
import { KnownPools } from './known-pools.js';
import { poolOpener } from './open-pool.js';
import { PoolKeeper } from './pool-keeper.js';

/** The pools that the configuration names; `start` opens them. */
export async function openPools(parts: {
  readonly config: AgentConfig;
  readonly folders: StateFolders;
  readonly identity: Identity;
  readonly onChange: () => void;
  readonly log: Log;
}): Promise<PoolKeeper> {
  const { config, folders, identity, onChange, log } = parts;
  const known = await KnownPools.open(join(folders.stateDir, 'storage-pools.json'));
  const open = poolOpener(config, folders, identity.hostId);
  return new PoolKeeper({ options: config.storagePool, open, known, onChange, log });
}

import { join } from 'node:path';
import { openDirectoryPool, openLvmThinPool, openRbdPool, type StoragePool } from '@kvorum/host-storage';
import type { AgentConfig } from '../config.js';
import type { StateFolders } from '../state/state-folders.js';
import type { PoolOption } from './pool-option.js';

/** `poolId`: which one was found there before; null: none was, and a new one may be made. */
export type OpenPool = (option: PoolOption, poolId: string | null) => Promise<StoragePool>;

/** Opens a pool by the driver that its option names. */
export function poolOpener(config: AgentConfig, { stateDir }: StateFolders, hostId: string): OpenPool {
  const { cephConf: confPath, cephUser: user, cephKeyring } = config;
  return async (option, poolId) => {
    // Once it was there, an empty folder is no new pool but a file system that is not mounted.
    const common = { hostId, poolId, mayInitialise: poolId === null };
    if (option.driver === 'lvm-thin') {
      const { group, thinPool: pool } = option;
      const recordsFolder = join(stateDir, 'lvm-thin', `${group}.${pool}`);
      return openLvmThinPool({ ...common, place: { group, pool }, recordsFolder });
    }
    if (option.driver !== 'rbd') return openDirectoryPool({ ...common, driver: option.driver, path: option.path });
    const keyringPath = cephKeyring ?? `/etc/ceph/ceph.client.${user}.keyring`;
    const place = { pool: option.cephPool, namespace: option.namespace, confPath, user, keyringPath };
    return openRbdPool({ ...common, place, privateFolder: join(stateDir, 'ceph') });
  };
}

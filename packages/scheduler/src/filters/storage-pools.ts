import type { Filter } from '../filter.js';
import { LABEL } from '../fleet/labels.js';
import { allLabels } from './by-labels.js';

/** The host reaches every storage pool that holds a disk of the VM. */
export const storagePools: Filter = {
  name: 'storage-pools',
  bind({ storagePoolIds = [] }, fleet) {
    if (storagePoolIds.length === 0) return null;
    const needed = storagePoolIds.map((poolId) => ({ label: LABEL.storagePool(poolId), name: poolId }));
    return allLabels(fleet, needed, {
      missing: (names) => `without storage pool ${names}`,
      change: (names, host) => `connect ${host} to storage pool ${names}`,
    });
  },
};

import { DomainError, HOTPLUG_SLOT_COUNT } from '@kvorum/schema';
import type { DiskSwitch } from '../../driver.js';
import { admitFiles, type UidRange, vmUid } from '../../isolation/vm-user.js';
import { asHostFault } from '../../process/as-host-fault.js';
import { pathRefusal } from '../run-folder.js';
import { layerNode } from './device-plan.js';
import type { Ask } from './machine-change.js';

/**
 * Driver port: RunningVm.switchDisks. QEMU lets what is under way end, then turns all disks or, when one cannot be turned, none
 * (qapi/transaction.json). `existing`: the overlay is there, and its header is not asked what it rests on. Nodes are named by
 * disk and file, so what has been turned already is known by its name.
 */
export async function switchDisks(
  { ask, vmId, vmUids }: { readonly ask: Ask; readonly vmId: string; readonly vmUids: UidRange | null },
  switches: readonly DiskSwitch[],
): Promise<void> {
  assertSwitches(switches);
  const nodes = new Set((await ask('query-named-block-nodes')).map(({ name }) => name));
  const due = switches.filter(({ diskId, path }) => !nodes.has(layerNode(diskId, path)));
  if (due.length === 0) return;
  const missing = due.find(({ diskId, basePath }) => !nodes.has(layerNode(diskId, basePath)));
  if (missing !== undefined) {
    throw new DomainError(
      'conflict_state',
      `the running VM has no disk ${missing.diskId} on that file; if an older agent started it, stop and start it`,
    );
  }
  await asHostFault('the files of the disks cannot be used', async () => {
    if (vmUids !== null)
      await admitFiles(
        vmUid(vmId, vmUids),
        due.map(({ path }) => path),
        [],
        '/',
      );
  });
  const actions = due.map(({ diskId, basePath, path }) => ({
    type: 'blockdev-snapshot-sync' as const,
    data: {
      'node-name': layerNode(diskId, basePath),
      'snapshot-file': path,
      'snapshot-node-name': layerNode(diskId, path),
      format: 'qcow2' as const,
      mode: 'existing' as const,
    },
  }));
  await ask('transaction', { actions });
}

export function assertSwitches(switches: readonly DiskSwitch[]): void {
  const isUsable = switches.every(({ basePath, path }) => pathRefusal(basePath) === null && pathRefusal(path) === null);
  const isOnce = new Set(switches.map(({ diskId }) => diskId)).size === switches.length;
  if (isUsable && isOnce && switches.length <= HOTPLUG_SLOT_COUNT + 1) return;
  const message = 'must name each disk once, with absolute paths';
  throw new DomainError('invalid_request', `switches ${message}`, {
    details: { fields: [{ field: 'switches', message }] },
  });
}

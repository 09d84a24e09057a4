import { DomainError, HOTPLUG_SLOT_COUNT } from '@kvorum/schema';
import { type DiskSwitch, ROOT_DISK_ID } from '../../driver.js';
import { admitFiles, type UidRange, vmUid } from '../../isolation/vm-user.js';
import type { ImageSwitch, OverlaySwitch } from '../../machine-spec.js';
import { asHostFault } from '../../process/as-host-fault.js';
import type { SnapshotAction } from '../qmp-commands.js';
import { pathRefusal } from '../run-folder.js';
import { diskNode, layerNode, ROOT_NODE } from './device-plan.js';
import type { Ask } from './machine-change.js';

/**
 * Driver port: RunningVm.switchDisks. QEMU lets what is under way end, then turns all disks or, when one cannot be turned, none
 * (qapi/transaction.json). `existing`: the overlay is there, and its header is not asked what it rests on. Nodes are named by
 * disk and file, so what has been turned already is known by its name. Of disks in Ceph each is held still from its own snapshot
 * until the last one is made (blockdev.c, internal_snapshot_action), so that what depends on a write is in none without it.
 */
export async function switchDisks(
  { ask, vmId, vmUids }: { readonly ask: Ask; readonly vmId: string; readonly vmUids: UidRange | null },
  switches: readonly DiskSwitch[],
): Promise<void> {
  assertSwitches(switches);
  const nodes = new Set((await ask('query-named-block-nodes')).map(({ name }) => name));
  const due = switches.filter(isOverlay).filter(({ diskId, path }) => !nodes.has(layerNode(diskId, path)));
  const images = switches.filter(isImage);
  if (due.length + images.length === 0) return;
  const missing =
    due.find(({ diskId, basePath }) => !nodes.has(layerNode(diskId, basePath))) ??
    images.find(({ diskId }) => !nodes.has(outermostOf(diskId)));
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
  await ask('transaction', { actions: [...due.map(overlayAction), ...images.map(imageAction)] });
}

const isOverlay = (one: DiskSwitch): one is OverlaySwitch => 'path' in one;
const isImage = (one: DiskSwitch): one is ImageSwitch => 'snapshotName' in one;

/** The node that the card of a disk uses. */
export const outermostOf = (diskId: string): string => (diskId === ROOT_DISK_ID ? ROOT_NODE : diskNode(diskId));

const imageAction = ({ diskId, snapshotName }: ImageSwitch): SnapshotAction => ({
  type: 'blockdev-snapshot-internal-sync',
  data: { device: outermostOf(diskId), name: snapshotName },
});

const overlayAction = ({ diskId, basePath, path }: OverlaySwitch): SnapshotAction => ({
  type: 'blockdev-snapshot-sync',
  data: {
    'node-name': layerNode(diskId, basePath),
    'snapshot-file': path,
    'snapshot-node-name': layerNode(diskId, path),
    format: 'qcow2',
    mode: 'existing',
  },
});

const SNAPSHOT_NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;

export function assertSwitches(switches: readonly DiskSwitch[]): void {
  const isUsable = switches.every((one) =>
    isImage(one)
      ? SNAPSHOT_NAME.test(one.snapshotName)
      : pathRefusal(one.basePath) === null && pathRefusal(one.path) === null,
  );
  const isOnce = new Set(switches.map(({ diskId }) => diskId)).size === switches.length;
  if (isUsable && isOnce && switches.length <= HOTPLUG_SLOT_COUNT + 1) return;
  const message = 'must name each disk once, with absolute paths or the name of a snapshot';
  throw new DomainError('invalid_request', `switches ${message}`, {
    details: { fields: [{ field: 'switches', message }] },
  });
}

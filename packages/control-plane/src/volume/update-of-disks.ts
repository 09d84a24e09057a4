import { type DataDisk, DomainError, type UpdateVmRequest, type VmId, type Volume } from '@kvorum/schema';
import type { Actor, ControlPlane } from '../control-plane.js';
import { notFound, requireProject } from '../token/project-scope.js';
import { shapeOf } from '../vm/update-vm.store.js';
import { findVmForIntent } from '../vm/vm-intent.store.js';

/** What is to become of a volume as a disk of a VM. */
export type DiskEdit = { readonly vmId: VmId; readonly volume: Volume } & (
  | { readonly kind: 'attach' | 'detach' }
  | { readonly kind: 'grow'; readonly sizeBytes: number }
);

interface UpdateOfDisks {
  readonly vmId: VmId;
  readonly body: UpdateVmRequest;
  /** Of the VM that was read: refused if somebody else changes it meanwhile. */
  readonly ifMatch: number;
}

/** The update of the VM that does it: a list of disks is given whole. Throws not_found, conflict_state. */
export async function updateOfDisks(cp: ControlPlane, actor: Actor, edit: DiskEdit): Promise<UpdateOfDisks> {
  const { vmId, volume } = edit;
  const vm = await findVmForIntent(cp.database, vmId);
  if (vm === null || vm.isDeleted) throw notFound('the VM', 'body.vmId');
  requireProject(actor, vm.projectId, 'the VM', 'body.vmId');
  if (vm.projectId !== volume.projectId) {
    throw new DomainError('conflict_state', 'the VM and the volume are of different projects', {
      details: { fields: [{ field: 'body.vmId', message: 'is of another project than the volume' }] },
    });
  }
  const { rootDisk, dataDisks } = (vm.nextShape ?? shapeOf(vm)).hardware.devices;
  const of = { vmId, ifMatch: vm.generation };
  if (edit.kind === 'grow' && volume.role === 'root') {
    return { ...of, body: { onlyLive: false, rootDiskBytes: edit.sizeBytes } };
  }
  const devices = { rootDisk, dataDisks: edited(dataDisks, edit) };
  return { ...of, body: { onlyLive: false, hardware: { devices } } };
}

function edited(disks: readonly DataDisk[], edit: DiskEdit): unknown[] {
  const { id, sizeBytes, poolId } = edit.volume;
  if (edit.kind === 'attach') return [...disks, { id, sizeBytes, poolId }];
  if (edit.kind === 'grow') {
    return disks.map((disk) => (disk.id === id ? { ...disk, sizeBytes: edit.sizeBytes } : disk));
  }
  return disks.filter((disk) => disk.id !== id);
}

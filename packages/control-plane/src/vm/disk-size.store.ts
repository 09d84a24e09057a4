import { VmHardware } from '@kvorum/schema';
import type { Tx } from '../database/database.js';
import { findVmForIntent } from './vm-intent.store.js';
import { VmShape } from './vm-shape.js';

/** Writes how large a disk of a VM is, where its record says so, when that was changed by a snapshot. An operation holds the VM. */
export async function writeDiskSize(tx: Tx, vmId: string, volumeId: string, sizeBytes: number): Promise<void> {
  const vm = await findVmForIntent(tx, vmId);
  if (vm === null) throw new TypeError(`VM ${vmId} is held`);
  const resized = (hardware: VmHardware): VmHardware => {
    const { rootDisk, dataDisks } = hardware.devices;
    const root = volumeId === vm.rootVolumeId ? { ...rootDisk, sizeBytes } : rootDisk;
    const disks = dataDisks.map((disk) => (disk.id === volumeId ? { ...disk, sizeBytes } : disk));
    return { ...hardware, devices: { ...hardware.devices, rootDisk: root, dataDisks: disks } };
  };
  const next = vm.nextShape === null ? null : { ...vm.nextShape, hardware: resized(vm.nextShape.hardware) };
  await tx.$executeRaw`
    UPDATE vms SET hardware = ${JSON.stringify(VmHardware.parse(resized(vm.hardware)))}::jsonb,
                   next_shape = ${next === null ? null : JSON.stringify(VmShape.parse(next))}::jsonb
     WHERE id = ${vmId}::uuid`;
}

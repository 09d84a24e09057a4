import { dirname, relative } from 'node:path';
import type { MachineSpec } from '../../driver.js';
import type { Cgroups } from '../../isolation/cgroups.js';
import { limitsOf } from '../../isolation/vm-limits.js';
import { admitFiles, type UidRange, vmUid } from '../../isolation/vm-user.js';
import { asHostFault } from '../../process/as-host-fault.js';
import { takesDirectIo } from '../disk-chain.js';
import { assertMachine } from '../launch-refusal.js';
import type { RunRecord } from '../run-record.js';
import { planDisk, planImageDisk, pluggedDisks } from './device-plan.js';
import { ensureMachine } from './ensure-machine.js';
import { devicesOf } from './image-node.js';
import type { Ask } from './machine-change.js';

export interface ChangedRun {
  readonly ask: Ask;
  readonly record: RunRecord;
  readonly cgroups: Cgroups | null;
  readonly vmUids: UidRange | null;
  readonly guestTimeoutMs: number;
}

/**
 * Driver port: RunningVm.ensureMachine. Limits of the process are widened before it grows, and narrowed only after it has
 * shrunk, so that the kernel never ends it in between.
 */
export async function changeMachine(run: ChangedRun, machine: MachineSpec): Promise<void> {
  assertMachine(machine);
  const { record, cgroups, vmUids } = run;
  const { disks = {}, bases = {}, images = {}, media = {}, taps = {} } = machine.attachments ?? {};
  const cwd = dirname(machine.diskPath);
  const nameOf = (path: string): string => (vmUids === null ? path : relative(cwd, path));
  const named = Object.fromEntries(Object.entries(media).map(([sha256, path]) => [sha256, nameOf(path)]));
  const plans = await asHostFault('the files of the devices cannot be used', async () => {
    const read = [...Object.values(media), ...Object.values(bases).flat()];
    if (vmUids !== null) {
      const written = [...Object.values(disks), ...devicesOf(machine)];
      await admitFiles(vmUid(record.vmId, vmUids), written, read, cwd);
    }
    await cgroups?.change(record.vmId, limitsOf(largerOf(machine, record)));
    const planned = pluggedDisks(machine.hardware.devices).map(async (disk) => {
      const image = images[disk.id];
      if (image !== undefined) return planImageDisk(disk, image);
      const path = disks[disk.id] ?? '';
      return planDisk(disk, nameOf(path), await takesDirectIo(path), (bases[disk.id] ?? []).map(nameOf));
    });
    return Promise.all(planned);
  });
  await ensureMachine({
    ask: run.ask,
    machine: { ...machine, attachments: { disks, bases, images, media: named, taps } },
    accelerator: record.accelerator,
    bootMemoryBytes: record.memoryBytes,
    disks: plans,
    guestTimeoutMs: run.guestTimeoutMs,
  });
  await cgroups?.change(record.vmId, limitsOf({ ...machine, accelerator: record.accelerator }));
}

/** While it changes: at least what it was started with, and all that could have been plugged since. */
const largerOf = (machine: MachineSpec, record: RunRecord): Parameters<typeof limitsOf>[0] => {
  const { maxMemoryBytes, maxVcpuCount } = machine.hardware.devices;
  return {
    ...machine,
    accelerator: record.accelerator,
    memoryBytes: Math.max(machine.memoryBytes, record.memoryBytes, maxMemoryBytes ?? 0),
    vcpuCount: Math.max(machine.vcpuCount, maxVcpuCount ?? 0),
  };
};

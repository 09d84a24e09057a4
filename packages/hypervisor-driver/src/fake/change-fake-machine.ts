import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { DomainError, HOT_MEMORY_BLOCK_BYTES } from '@kvorum/schema';
import { type DiskImage, type DiskSwitch, type MachineSpec, ROOT_DISK_ID } from '../driver.js';
import type { FakeProcess } from './fake-machine.js';

/** What QEMU refuses of a change, by the same codes and in the same order (qemu/devices/ensure-machine.ts). */
export function changeFakeMachine(process: FakeProcess, machine: MachineSpec): void {
  const { launch, machine: before, takesPartInChanges } = process;
  const { devices: old } = before.hardware;
  const { devices } = machine.hardware;
  const kept = new Set([...devices.dataDisks, ...devices.nics].map(({ id }) => id));
  const going = [...old.dataDisks, ...old.nics].filter(({ id }) => !kept.has(id));
  if (going.length > 0 && !takesPartInChanges) throw refusal('the guest has not let go of a device within 0 s');
  // The machine has the sockets that it was started with, whatever the new plan says.
  const started = launch.hardware.devices;
  const room = Math.max(0, (started.maxMemoryBytes ?? 0) - launch.memoryBytes);
  const hotBytes = machine.memoryBytes - launch.memoryBytes;
  const isHotPossible = hotBytes >= 0 && hotBytes <= room && hotBytes % HOT_MEMORY_BLOCK_BYTES === 0;
  if (!isHotPossible) throw refusal('the VM was started without room for more memory; stop and start it');
  if (machine.memoryBytes !== before.memoryBytes && !takesPartInChanges) {
    throw refusal('the guest has not taken the memory within 0 s');
  }
  const sockets = Math.max(launch.vcpuCount, started.maxVcpuCount ?? 0);
  if (machine.vcpuCount > sockets) throw refusal(`the VM was started with room for ${sockets} vCPUs`);
  if (machine.vcpuCount < before.vcpuCount && launch.accelerator === 'tcg') {
    throw refusal('emulation cannot take a vCPU away from a running machine');
  }
  const drives = new Set(started.cdroms.map(({ name }) => name));
  const unknown = devices.cdroms.find(({ name }) => !drives.has(name));
  if (unknown !== undefined) throw refusal(`the running VM has no drive ${unknown.name}`);
  process.machine = machine;
  process.threads.setVcpuCount(machine.vcpuCount);
  process.balloonBytes += machine.memoryBytes - before.memoryBytes;
  for (const { id, sizeBytes } of devices.dataDisks) grow(process, machine.attachments?.disks[id ?? ''], sizeBytes);
  grow(process, machine.diskPath, devices.rootDisk.sizeBytes);
}

/** `assertHeld`: an agent that is gone lets go of nothing. */
export async function holdFakeStill<Result>(
  process: FakeProcess,
  run: () => Promise<Result>,
  assertHeld: () => Promise<void>,
): Promise<Result> {
  if (process.power !== 'running') return run();
  process.holdStill();
  try {
    return await run();
  } finally {
    await assertHeld();
    process.letGo();
  }
}

/** All or none, as a QMP transaction. */
export function switchFakeDisks(process: FakeProcess, switches: readonly DiskSwitch[]): void {
  const { attachments = { disks: {}, media: {} }, diskPath, rootBases, rootImage } = process.machine;
  const files: Readonly<Record<string, string>> = {
    ...attachments.disks,
    ...(rootBases === undefined ? {} : { [ROOT_DISK_ID]: diskPath }),
  };
  const images: Readonly<Record<string, DiskImage>> = {
    ...attachments.images,
    ...(rootImage === undefined ? {} : { [ROOT_DISK_ID]: rootImage }),
  };
  const overlays = switches.flatMap((one) => ('path' in one ? [one] : []));
  const due = overlays.filter(({ diskId, path }) => files[diskId] !== path);
  const missing =
    due.find(({ diskId, basePath }) => files[diskId] !== basePath) ??
    switches.find((one) => 'snapshotName' in one && images[one.diskId] === undefined);
  if (missing !== undefined) throw refusal(`the running VM has no disk ${missing.diskId} on that file`);
  const { [ROOT_DISK_ID]: root = diskPath, ...disks } = {
    ...files,
    ...Object.fromEntries(due.map(({ diskId, path }) => [diskId, path])),
  };
  const bases = { ...attachments.bases };
  let { rootBases: under } = process.machine;
  for (const { diskId, basePath } of due) {
    if (diskId === ROOT_DISK_ID) under = [basePath, ...(under ?? [])];
    else bases[diskId] = [basePath, ...(bases[diskId] ?? [])];
  }
  const attached = { ...attachments, disks, bases };
  process.machine = { ...process.machine, diskPath: root, ...(under && { rootBases: under }), attachments: attached };
}

/** As block_resize: larger only. */
function grow({ disks }: FakeProcess, path: string | undefined, sizeBytes: number | null): void {
  if (path === undefined) return;
  const disk = disks.get(path);
  // A volume of a pool: whoever asks looks at the file.
  if (disk === undefined && sizeBytes !== null && existsSync(path)) {
    execFileSync('qemu-img', ['resize', '-q', '-f', 'qcow2', '--', path, String(sizeBytes)]);
  }
  if (disk === undefined || sizeBytes === null || sizeBytes <= disk.sizeBytes) return;
  disks.set(disk.path, { ...disk, sizeBytes });
}

const refusal = (message: string): DomainError => new DomainError('conflict_state', message);

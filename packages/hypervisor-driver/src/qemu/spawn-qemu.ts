import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { dirname, relative } from 'node:path';
import type { LaunchSpec } from '../driver.js';
import { admitFiles, admitReader, admitVmUser, vmUid } from '../isolation/vm-user.js';
import { openTaps } from '../network/open-tap.js';
import type { CpuPlan } from './arguments/cpu-arguments.js';
import type { DiskChain, ImageDisk, NoDisk } from './arguments/root-disk-arguments.js';
import { buildArguments, type ProcessPlan, SHARED_USER } from './build-arguments.js';
import { devicesOf } from './devices/image-node.js';
import { takesDirectIo } from './disk-chain.js';
import { layOutKeys } from './lay-out-keys.js';
import { FIRST_FD, QemuChild } from './qemu-child.js';
import type { QemuOptions } from './qemu-options.js';
import type { RunFolder } from './run-folder.js';
import type { Arrival } from './templates/arrival.js';
import type { ArrivingGuest } from './templates/receive-guest.js';

export interface SpawnPlan {
  readonly spec: LaunchSpec;
  readonly disk: DiskChain | ImageDisk | NoDisk;
  readonly cpu: CpuPlan;
  readonly folder: RunFolder;
  readonly options: QemuOptions;
  /** Null: the VM boots. */
  readonly guest: ArrivingGuest | null;
}

/** Descriptors that the child inherits are closed here: it has its own copies. */
export async function spawnQemu(plan: SpawnPlan): Promise<QemuChild> {
  const { spec, disk, cpu, folder, guest } = plan;
  const { qemuPath, vmUids, ovmfFolder } = plan.options;
  const opened: FileHandle[] = [];
  const { otherCpus } = spec.placement;
  // Root's CAP_IPC_LOCK is worth any limit (mlockall(2)).
  const keepsRoot = vmUids === null && process.getuid?.() === 0;
  const inheritance = { cpus: otherCpus, mayLockMemory: spec.hardware.memory.isLocked && !keepsRoot };
  try {
    const log = await open(folder.processLog, 'a', 0o600);
    opened.push(log);
    const { fds, ...given } = await openGiven(plan, opened);
    await layOutKeys(spec, vmUids === null ? null : vmUid(spec.vmId, vmUids));
    if (vmUids === null) {
      const args = buildArguments(spec, disk, { ...SHARED_USER, ...given, kvmFd: null }, ovmfFolder, cpu);
      return new QemuChild(qemuPath, args, { logFd: log.fd, fds, uid: null, cwd: '/', inheritance });
    }
    const uid = vmUid(spec.vmId, vmUids);
    const { disks = {}, bases = {}, media = {} } = spec.attachments ?? {};
    const own =
      'bases' in disk ? { diskPath: spec.diskPath, basePaths: disk.bases } : { diskPath: null, basePaths: [] };
    await admitVmUser(uid, { folder, ...own });
    const cwd = guest?.role === 'maker' ? folder.path : dirname(spec.diskPath);
    if (spec.seedPath != null && guest?.role !== 'maker') await admitReader(uid, spec.seedPath, cwd);
    await admitFiles(
      uid,
      [...Object.values(disks), ...devicesOf(spec)],
      [...Object.values(media), ...Object.values(bases).flat()],
      cwd,
    );
    const pathOf = (path: string) => relative(cwd, path);
    const args = buildArguments(spec, disk, { ...given, pathOf }, ovmfFolder, cpu);
    return new QemuChild(qemuPath, args, { logFd: log.fd, fds, uid, cwd, inheritance });
  } finally {
    for (const file of opened) await file.close();
  }
}

type Given = Omit<ProcessPlan, 'pathOf'> & { readonly fds: readonly number[] };

/** Opens what the process is given, in the order of `fds`, and says under which number it will find each. */
async function openGiven({ spec, guest, options }: SpawnPlan, opened: FileHandle[]): Promise<Given> {
  const given: FileHandle[] = [];
  const take = (file: FileHandle): number => {
    opened.push(file);
    return FIRST_FD + given.push(file) - 1;
  };
  const isKvmGiven = options.vmUids !== null && spec.accelerator === 'kvm';
  const kvmFd = isKvmGiven ? take(await open('/dev/kvm', 'r+')) : null;
  const arrival = guest === null ? null : await openArrival(guest, take);
  const taps = spec.attachments?.taps ?? {};
  const openedTaps = await openTaps(Object.values(taps));
  const tapFds = Object.fromEntries(
    Object.keys(taps).map((nicId, index) => [nicId, take(openedTaps[index] as FileHandle)]),
  );
  const cacheOf = await cachesOf(spec.attachments?.disks ?? {});
  return { kvmFd, arrival, tapFds, cacheOf, fds: given.map(({ fd }) => fd) };
}

/** Of each data disk: those of pools may lie on other file systems than the root disk. */
async function cachesOf(disks: Readonly<Record<string, string>>): Promise<Record<string, DiskChain['cache']>> {
  const caches: Record<string, DiskChain['cache']> = {};
  for (const [id, path] of Object.entries(disks)) caches[id] = (await takesDirectIo(path)) ? 'direct' : 'page-cache';
  return caches;
}

async function openArrival(guest: ArrivingGuest, take: (file: FileHandle) => number): Promise<Arrival> {
  const { role, memoryPath, statePath } = guest;
  const isFork = role === 'fork';
  const memoryFd = take(await open(memoryPath, isFork ? constants.O_RDONLY : constants.O_RDWR));
  // QEMU takes of its set the descriptor with just the access that it wants (monitor_fdset_dup_fd_add).
  const stateFd = take(await open(statePath, isFork ? constants.O_RDONLY : constants.O_WRONLY));
  return { role, memoryFd, stateFd };
}

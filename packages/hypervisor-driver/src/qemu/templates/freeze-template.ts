import { chmod, chown, mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { DomainError, MIB } from '@kvorum/schema';
import type { LaunchSpec } from '../../driver.js';
import type { Cgroups } from '../../isolation/cgroups.js';
import { vmUid } from '../../isolation/vm-user.js';
import { asHostFault } from '../../process/as-host-fault.js';
import type { ExitWatch } from '../../process/exit-watch.js';
import { runTool } from '../../process/run-tool.js';
import type { FreezeSpec, TemplateFacts } from '../../template-port.js';
import { sweep } from '../adopt.js';
import type { CpuPlan } from '../arguments/cpu-arguments.js';
import { BASE_COUNT_MAX, readDiskChain } from '../disk-chain.js';
import { syncPath } from '../ensure-disk.js';
import { launch } from '../launch.js';
import { readQcow2Header } from '../qcow2-header.js';
import type { QemuOptions } from '../qemu-options.js';
import type { QemuVm } from '../qemu-vm.js';
import { STATE_URI } from './arrival.js';
import { plugCards, unplugCards } from './network-cards.js';
import { untilArrived } from './receive-guest.js';
import { sendGuest, streamTimeoutMs } from './send-guest.js';
import {
  factsOf,
  type Manifest,
  readManifest,
  sealFiles,
  type TemplateFiles,
  templateFiles,
  writeManifest,
} from './template-files.js';
import { assertFreezable, frozenHardware } from './template-refusal.js';

export interface Freezing {
  readonly vm: QemuVm;
  readonly freeze: FreezeSpec;
  readonly options: QemuOptions;
  readonly watch: ExitWatch;
  readonly cgroups: Cgroups | null;
  readonly cpu: CpuPlan;
}

const PASSAGE_MODE = 0o711;
const PRIVATE_MODE = 0o700;
const READABLE_MODE = 0o444;
/** A disk that copies slower than this is the trouble. */
const COPY_BYTES_PER_MS = (20 * MIB) / 1000;
const COPY_TIMEOUT_MS_MIN = 60_000;
const MAKER_END_TIMEOUT_MS = 5_000;
const partialOf = (folder: string): string => `${folder}.partial`;

/**
 * Driver port: HypervisorDriver.freezeTemplate. The VM stands still while its memory is copied into a second process, the
 * maker, whose memory is the template's file, and while what it has written to its disk is copied; then it goes on. The maker
 * never runs the guest: it writes down the state of the devices without the memory, and ends.
 *
 * Until the folder is renamed there is no template; a crash leaves a partial folder, and a run of a VM that nobody knows.
 */
export async function freezeTemplate(freezing: Freezing): Promise<TemplateFacts> {
  const { freeze } = freezing;
  const { folder } = freeze;
  assertFreezable(freeze);
  const present = await readManifest(folder);
  if (present !== null) return factsOf(folder, present);
  const files = templateFiles(partialOf(folder));
  try {
    const rootDiskBytes = await prepare(freezing, files);
    await copyGuest(freezing, files, rootDiskBytes);
    const manifest = await seal(freezing, files, rootDiskBytes);
    await asHostFault('the template cannot be put into its place', async () => {
      await rename(files.folder, folder);
      await syncPath(dirname(folder));
    });
    return factsOf(folder, manifest);
  } catch (thrown) {
    await rm(files.folder, { recursive: true, force: true });
    throw thrown;
  }
}

/** Driver port: HypervisorDriver.removeTemplate. Renamed first: half a template must never look like a whole one. */
export async function removeTemplate(folder: string): Promise<void> {
  await asHostFault('the template cannot be removed', async () => {
    await rm(partialOf(folder), { recursive: true, force: true });
    await rename(folder, partialOf(folder)).catch((thrown: NodeJS.ErrnoException) => {
      if (thrown.code !== 'ENOENT') throw thrown;
    });
    await rm(partialOf(folder), { recursive: true, force: true });
  });
}

async function prepare({ freeze, options }: Freezing, files: TemplateFiles): Promise<number> {
  const { golden, runDir, templateId } = freeze;
  const { bases } = await readDiskChain(golden.diskPath);
  if (bases.length >= BASE_COUNT_MAX) {
    throw new DomainError('conflict_state', `the VM's disk rests on ${bases.length} files already: freeze another VM`);
  }
  const uid = options.vmUids === null ? null : vmUid(templateId, options.vmUids);
  await asHostFault('the folder of the template cannot be made', async () => {
    await rm(files.folder, { recursive: true, force: true });
    await mkdir(files.sealed, { recursive: true, mode: PRIVATE_MODE });
    // Forks pass through to the disk.
    for (const passage of [dirname(files.folder), files.folder]) await chmod(passage, PASSAGE_MODE);
    for (const [path, bytes] of [
      [files.memory, golden.memoryBytes],
      [files.state, 0],
    ] as const) {
      const file = await open(path, 'wx', 0o600);
      try {
        await file.truncate(bytes);
        if (uid !== null) await file.chown(uid, uid);
      } finally {
        await file.close();
      }
    }
    await rm(runDir, { recursive: true, force: true });
    await mkdir(linkFolder(runDir), { recursive: true, mode: PASSAGE_MODE });
    if (uid !== null) await chown(linkFolder(runDir), uid, uid);
  });
  return (await readQcow2Header(golden.diskPath)).virtualSizeBytes;
}

/** The maker binds its socket here, and the VM's process connects to it. */
const linkFolder = (runDir: string): string => join(runDir, 'link');

async function copyGuest(freezing: Freezing, files: TemplateFiles, rootDiskBytes: number): Promise<void> {
  const { vm, freeze, options, cgroups } = freezing;
  const { templateId, runDir } = freeze;
  if ((await vm.queryPower()) !== 'running') {
    throw new DomainError('conflict_state', 'only a VM that runs can be made a template: start or resume it');
  }
  const maker = await startMaker(freezing, files, rootDiskBytes);
  try {
    await takeCopy(freezing, files);
    await untilArrived(maker.ask, options.launchTimeoutMs);
    await sendGuest(maker.ask, STATE_URI, true, options.launchTimeoutMs);
  } finally {
    await maker.end(MAKER_END_TIMEOUT_MS);
    await sweep(templateId, runDir, cgroups);
    await rm(runDir, { recursive: true, force: true });
  }
}

/** Memory and disk of one instant. Without its cards: what they are called stands in the guest's memory, and forks have others. */
async function takeCopy({ vm, freeze, options }: Freezing, files: TemplateFiles): Promise<void> {
  const { golden, runDir, goesOn } = freeze;
  let isCopied = false;
  try {
    await unplugCards(vm.ask, options.guestTimeoutMs);
    await vm.pause();
    await sendGuest(vm.ask, linkUri(runDir), false, streamTimeoutMs(golden.memoryBytes));
    await copyDisk(golden.diskPath, files.disk);
    isCopied = true;
  } finally {
    if (goesOn || !isCopied) {
      await vm.resume();
      await plugCards(vm.ask, golden);
    }
  }
}

const linkUri = (runDir: string): string => `unix:${join(linkFolder(runDir), 's')}`;

async function startMaker(freezing: Freezing, files: TemplateFiles, rootDiskBytes: number): Promise<QemuVm> {
  const { freeze, options, watch, cgroups, cpu } = freezing;
  const { golden, templateId, runDir } = freeze;
  const spec: LaunchSpec = { ...golden, vmId: templateId, runDir, isPaused: true, attachments: withoutTaps(golden) };
  const guest = {
    role: 'maker',
    memoryPath: files.memory,
    statePath: files.state,
    uri: linkUri(runDir),
    noDisk: { sizeBytes: rootDiskBytes },
  } as const;
  const maker = await launch(spec, options, watch, cgroups, cpu, guest);
  if (options.vmUids === null) return maker;
  // Nobody but the VM's own user may connect, and the folder is root's again.
  const vmOwner = vmUid(golden.vmId, options.vmUids);
  await chown(join(linkFolder(runDir), 's'), vmOwner, vmOwner);
  await chown(linkFolder(runDir), 0, 0);
  return maker;
}

const withoutTaps = ({ attachments }: LaunchSpec): NonNullable<LaunchSpec['attachments']> => ({
  disks: {},
  media: {},
  ...attachments,
  taps: {},
});

/** Where the file system can, blocks are shared with the VM's disk (ioctl_ficlone(2)), and nothing is copied. */
async function copyDisk(from: string, to: string): Promise<void> {
  const { size } = await stat(from);
  const timeoutMs = COPY_TIMEOUT_MS_MIN + Math.ceil(size / COPY_BYTES_PER_MS);
  await runTool('/usr/bin/cp', ['--reflink=auto', '--sparse=always', '--', from, to], timeoutMs);
}

async function seal({ freeze }: Freezing, files: TemplateFiles, rootDiskBytes: number): Promise<Manifest> {
  const { templateId, golden } = freeze;
  return asHostFault('the template cannot be sealed', async () => {
    for (const path of [files.memory, files.state, files.disk]) {
      if (process.getuid?.() === 0) await chown(path, 0, 0);
      await chmod(path, READABLE_MODE);
    }
    const { vcpuCount, memoryBytes, accelerator, machineType } = golden;
    const shape = {
      vcpuCount,
      memoryBytes,
      accelerator,
      machineType,
      hardware: frozenHardware(golden.hardware),
      hasSeedDisk: golden.seedPath != null,
    };
    const { bases: basePaths } = await readDiskChain(files.disk);
    const manifest: Manifest = {
      version: 1,
      templateId,
      ...shape,
      rootDiskBytes,
      basePaths,
      ...(await sealFiles(files)),
    };
    await writeManifest(files.folder, manifest);
    return manifest;
  });
}

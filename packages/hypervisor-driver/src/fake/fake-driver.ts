import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { DISK_BYTES_MAX, DISK_BYTES_MIN, DomainError, type HostFacts, MIB } from '@kvorum/schema';
import { dependsOnHost, planCpu } from '../cpu/plan-cpu.js';
import type {
  AdoptedDisk,
  DiskSpec,
  FlattenedDisk,
  FlattenWatch,
  HypervisorDriver,
  LaunchSpec,
  PastExit,
  RunningVm,
} from '../driver.js';
import { runTool } from '../process/run-tool.js';
import { assertLaunchable } from '../qemu/launch-refusal.js';
import { pathRefusal } from '../qemu/run-folder.js';
import type { FreezeSpec, TemplateFacts } from '../template-port.js';
import type { FakeMachine } from './fake-machine.js';
import { fakeTemplateOf, freezeFakeTemplate, notRunning } from './fake-templates.js';
import { FakeVm } from './fake-vm.js';

/**
 * The driver port over a FakeMachine, for tests of everything above it. It refuses what QEMU's driver refuses, by the
 * same rules and codes, and passes the same contract suite. Disks and processes live in memory; the console log is a real
 * file, as agents read it directly, and so is what of a disk one agent sends to another: its description.
 */
export class FakeDriver implements HypervisorDriver {
  readonly machine: FakeMachine;
  readonly #vms = new Map<string, FakeVm>();

  constructor(machine: FakeMachine) {
    this.machine = machine;
  }

  async observeHost(): Promise<HostFacts> {
    const { facts, lacksFirmware: lacks } = this.machine;
    const uefi = !lacks.has('uefi');
    const firmware = { uefi, secureBoot: uefi && !lacks.has('secure-boot'), tpm: !lacks.has('tpm') };
    return { ...structuredClone(facts), firmware };
  }

  usableCpus(): readonly number[] {
    return this.machine.facts.numaNodes.flatMap((node) => node.cpus);
  }

  async ensureDisk(disk: DiskSpec): Promise<void> {
    assertDisk(disk);
    const failure = this.machine.takeDiskFailure();
    if (failure !== undefined) throw failure;
    const found = this.machine.disks.get(disk.path);
    if (found === undefined) {
      if (disk.imagePath !== null && this.machine.damagedImages.has(disk.imagePath)) {
        throw new DomainError('image_invalid', 'the image is not usable: it is not a qcow2 image');
      }
      await this.#keep(disk);
    } else if (found.sizeBytes > disk.sizeBytes || found.imagePath !== disk.imagePath) {
      throw new DomainError('conflict_state', 'another disk is there already: it differs in size or image');
    } else {
      await this.#keep(disk);
    }
  }

  async #keep(disk: DiskSpec): Promise<void> {
    await mkdir(dirname(disk.path), { recursive: true });
    await writeFile(disk.path, JSON.stringify(disk));
    this.machine.disks.set(disk.path, { ...disk });
  }

  /** A real file, as others read it; its disks have no content. */
  async flattenDisk({ path, target }: FlattenedDisk, { onProgress }: FlattenWatch): Promise<void> {
    const disk = this.machine.disks.get(path);
    if (disk === undefined) throw new DomainError('host_fault', 'the disk cannot be read: it is not there');
    await runTool('/usr/bin/qemu-img', ['create', '-q', '-f', 'qcow2', '--', target, String(disk.sizeBytes)], 60_000);
    onProgress(1);
  }

  async adoptDisk({ file, path, imagePath, sizeBytesMax }: AdoptedDisk): Promise<void> {
    const text = await readFile(file, 'utf8').catch(() => null);
    if (text === null && this.machine.disks.has(path)) return;
    const found = describedDisk(text ?? '');
    const nameOf = (image: string | null) => (image === null ? null : basename(image));
    if (found === null || found.sizeBytes > sizeBytesMax || nameOf(found.imagePath) !== nameOf(imagePath)) {
      throw new DomainError('image_invalid', 'the disk cannot be taken over: it is not what it is to be');
    }
    await this.#keep({ path, sizeBytes: found.sizeBytes, imagePath });
    await rm(file);
  }

  async removeDisk(path: string): Promise<void> {
    const refusal = pathRefusal(path);
    if (refusal !== null) throw new DomainError('invalid_request', `path ${refusal}`);
    this.machine.disks.delete(path);
    await rm(path, { force: true });
  }

  async launch(launch: LaunchSpec): Promise<RunningVm> {
    assertLaunchable(launch);
    this.#assertFirmware(launch);
    this.machine.launches.push(launch);
    // Volumes of pools are real files, also under a simulated machine.
    const isFile = launch.rootBases !== undefined && (this.machine.poolsArePresent || existsSync(launch.diskPath));
    const isThere = isFile || launch.rootImage !== undefined || this.machine.disks.has(launch.diskPath);
    if (!isThere) {
      throw new DomainError('host_fault', "the VM's disk is not usable: it is not there");
    }
    if (dependsOnHost(launch)) planCpu(launch, this.machine.facts);
    this.#assertNothingRuns(launch.runDir);
    await this.machine.beforeLaunch(launch);
    const failure = this.machine.takeLaunchFailure();
    if (failure !== undefined) throw failure;
    this.#assertNothingRuns(launch.runDir);
    return this.#hold(new FakeVm(this.machine.startProcess(launch)));
  }

  async freezeTemplate(freeze: FreezeSpec): Promise<TemplateFacts> {
    const process = this.machine.processes.get(freeze.golden.runDir);
    if (process === undefined || this.#vms.get(freeze.golden.runDir)?.isLive !== true) throw notRunning();
    return freezeFakeTemplate(this.machine, process, freeze);
  }

  async endFreeze({ runDir }: LaunchSpec): Promise<void> {
    const process = this.machine.processes.get(runDir);
    if (process === undefined || this.#vms.get(runDir)?.isLive !== true) throw notRunning();
    process.changePower('running');
  }

  async readTemplate(folder: string): Promise<TemplateFacts | null> {
    return this.machine.templates.get(folder)?.facts ?? null;
  }

  async removeTemplate(folder: string): Promise<void> {
    this.machine.templates.delete(folder);
  }

  async forkVm(launch: LaunchSpec, templateFolder: string): Promise<RunningVm> {
    assertLaunchable(launch);
    const template = fakeTemplateOf(this.machine, launch, templateFolder);
    this.machine.launches.push(launch);
    this.#assertNothingRuns(launch.runDir);
    await this.machine.beforeLaunch(launch);
    const failure = this.machine.takeLaunchFailure();
    if (failure !== undefined) throw failure;
    return this.#hold(new FakeVm(this.machine.startProcess(launch, template)));
  }

  async adopt(vmId: string, runDir: string): Promise<RunningVm | null> {
    const held = this.#vms.get(runDir);
    if (held?.isLive === true && held.vmId === vmId) return held;
    const process = this.machine.processes.get(runDir);
    if (process === undefined) return null;
    const failure = this.machine.takeAdoptFailure();
    if (failure !== undefined) throw failure;
    if (process.launch.vmId === vmId) {
      process.letGo();
      return this.#hold(new FakeVm(process));
    }
    process.exit({ reason: 'crash', detail: 'a process of another VM was in the run folder' });
    return null;
  }

  async sweep(_vmId: string, runDir: string): Promise<void> {
    this.machine.processes.get(runDir)?.exit({ reason: 'requested', detail: 'swept' });
    this.machine.pastExits.delete(runDir);
  }

  /** In memory nothing of a VM lies outside its process. */
  async removeLeftovers(): Promise<readonly string[]> {
    return [];
  }

  async readExit(vmId: string, runDir: string): Promise<PastExit | null> {
    const past = this.machine.pastExits.get(runDir);
    if (past === undefined || past.vmId !== vmId || this.machine.processes.has(runDir)) return null;
    return { epoch: past.epoch, exit: past.exit };
  }

  #assertFirmware({ hardware: { firmware } }: LaunchSpec): void {
    const lacks = this.machine.lacksFirmware;
    if (firmware.kind === 'uefi' && (lacks.has('uefi') || (firmware.secureBoot && lacks.has('secure-boot')))) {
      throw new DomainError('conflict_state', 'this host has no UEFI firmware: install the package ovmf');
    }
    if (firmware.tpm !== 'none' && lacks.has('tpm')) {
      throw new DomainError('conflict_state', 'this host cannot emulate a TPM: install the package swtpm');
    }
  }

  #assertNothingRuns(runDir: string): void {
    if (!this.machine.processes.has(runDir)) return;
    throw new DomainError('conflict_state', 'a process of this VM runs already: adopt or sweep it first');
  }

  #hold(vm: FakeVm): FakeVm {
    this.#vms.set(vm.runDir, vm);
    return vm;
  }
}

function describedDisk(text: string): DiskSpec | null {
  try {
    return JSON.parse(text) as DiskSpec;
  } catch {
    return null;
  }
}

function assertDisk(disk: DiskSpec): void {
  const isWithin = disk.sizeBytes >= DISK_BYTES_MIN && disk.sizeBytes <= DISK_BYTES_MAX && disk.sizeBytes % MIB === 0;
  const refusal =
    pathRefusal(disk.path) ??
    (disk.imagePath === null ? null : pathRefusal(disk.imagePath)) ??
    (isWithin ? null : 'has a size out of bounds');
  if (refusal !== null) throw new DomainError('invalid_request', `the disk ${refusal}`);
}

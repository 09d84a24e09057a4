import { DomainError, type HostFacts } from '@kvorum/schema';
import { threadCpus } from '../cpu/affinity.js';
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
import { firmwareFindings, firmwareSupport } from '../firmware/firmware-findings.js';
import { HostObserver } from '../host/observe-host.js';
import { Cgroups } from '../isolation/cgroups.js';
import { isolationFinding } from '../isolation/isolation-finding.js';
import { ExitWatch } from '../process/exit-watch.js';
import type { FreezeSpec, TemplateFacts } from '../template-port.js';
import { adopt, readExit, sweep } from './adopt.js';
import { adoptDisk } from './adopt-disk.js';
import { type CpuPlan, PLAIN_CPU } from './arguments/cpu-arguments.js';
import { ensureDisk, removeDisk } from './ensure-disk.js';
import { flattenDisk } from './flatten-disk.js';
import type { QemuImg } from './inspect-image.js';
import { launch } from './launch.js';
import { assertLaunchable } from './launch-refusal.js';
import { QEMU_OPTIONS, type QemuOptions } from './qemu-options.js';
import type { QemuVm } from './qemu-vm.js';
import { endFreeze } from './templates/end-freeze.js';
import { freezeTemplate, removeTemplate } from './templates/freeze-template.js';
import { guestOfTemplate } from './templates/guest-of-template.js';
import { factsOf, readManifest } from './templates/template-files.js';
import { trimConsole } from './trim-console.js';

/** To sched_getaffinity(2). */
const CALLING_THREAD = 0;
/** A console prints at most some MiB/s, so between two rounds a log grows by tens of MiB at worst. */
const TRIM_ROUND_MS = 5_000;
/** A sweep ends the process hard anyway; this is only for the disk's caches to be written. */
const SWEEP_END_TIMEOUT_MS = 2_000;

/** The driver of this machine's QEMU. Options left out have the defaults of QEMU_OPTIONS. */
export const openQemuDriver = (options: Partial<QemuOptions> = {}): HypervisorDriver =>
  new QemuDriver({ ...QEMU_OPTIONS, ...options });

class QemuDriver implements HypervisorDriver {
  readonly #options: QemuOptions;
  readonly #qemuImg: QemuImg;
  readonly #host: HostObserver;
  readonly #watch = new ExitWatch();
  readonly #cgroups: Cgroups | null;
  /** By run folder: the VMs this driver holds. */
  readonly #vms = new Map<string, QemuVm>();
  #trimTimer: NodeJS.Timeout | undefined;

  constructor(options: QemuOptions) {
    this.#options = options;
    this.#qemuImg = { path: options.qemuImgPath, timeoutMs: options.imageTimeoutMs };
    const { cgroupRoot, cgroupParent } = options;
    this.#cgroups = cgroupParent === null ? null : Cgroups.open(cgroupRoot, cgroupParent);
    this.#host = new HostObserver(options.qemuPath);
  }

  async observeHost(): Promise<HostFacts> {
    const facts = await this.#host.observe();
    const firmware = firmwareSupport(this.#options);
    const isolation = isolationFinding(this.#options, this.#cgroups);
    const findings = [...facts.findings, isolation, ...firmwareFindings(firmware, this.#options)];
    return { ...facts, firmware, findings };
  }

  usableCpus(): readonly number[] {
    return threadCpus(CALLING_THREAD);
  }

  ensureDisk(disk: DiskSpec): Promise<void> {
    return ensureDisk(this.#qemuImg, disk);
  }

  adoptDisk(disk: AdoptedDisk): Promise<void> {
    return adoptDisk(this.#qemuImg, disk);
  }

  flattenDisk(disk: FlattenedDisk, watch: FlattenWatch): Promise<void> {
    return flattenDisk(this.#qemuImg, disk, watch);
  }

  removeDisk(path: string): Promise<void> {
    return removeDisk(path);
  }

  async launch(spec: LaunchSpec): Promise<RunningVm> {
    assertLaunchable(spec);
    return this.#hold(await launch(spec, this.#options, this.#watch, this.#cgroups, await this.#cpuOf(spec)));
  }

  async freezeTemplate(freeze: FreezeSpec): Promise<TemplateFacts> {
    const { golden } = freeze;
    const vm = this.#heldAs(golden);
    const cpu = await this.#cpuOf(golden);
    const { watch, cgroups, options } = { watch: this.#watch, cgroups: this.#cgroups, options: this.#options };
    return freezeTemplate({ vm, freeze, options, watch, cgroups, cpu });
  }

  async endFreeze(golden: LaunchSpec): Promise<void> {
    await endFreeze(this.#heldAs(golden), golden);
  }

  async readTemplate(folder: string): Promise<TemplateFacts | null> {
    const manifest = await readManifest(folder);
    return manifest === null ? null : factsOf(folder, manifest);
  }

  removeTemplate(folder: string): Promise<void> {
    return removeTemplate(folder);
  }

  async forkVm(spec: LaunchSpec, templateFolder: string): Promise<RunningVm> {
    assertLaunchable(spec);
    const guest = await guestOfTemplate(spec, templateFolder);
    return this.#hold(await launch(spec, this.#options, this.#watch, this.#cgroups, await this.#cpuOf(spec), guest));
  }

  async adopt(vmId: string, runDir: string): Promise<RunningVm | null> {
    const held = this.#held(runDir);
    if (held !== undefined && held.vmId === vmId) return held;
    const vm = await adopt(vmId, runDir, this.#options, this.#watch, this.#cgroups);
    return vm === null ? null : this.#hold(vm);
  }

  async sweep(vmId: string, runDir: string): Promise<void> {
    await this.#held(runDir)?.end(SWEEP_END_TIMEOUT_MS);
    await sweep(vmId, runDir, this.#cgroups);
  }

  async removeLeftovers(isOwned: (vmId: string) => boolean): Promise<readonly string[]> {
    return (await this.#cgroups?.removeLeftovers(isOwned)) ?? [];
  }

  readExit(vmId: string, runDir: string): Promise<PastExit | null> {
    return readExit(vmId, runDir, this.#cgroups);
  }

  #heldAs({ runDir, vmId }: LaunchSpec): QemuVm {
    const vm = this.#held(runDir);
    if (vm?.vmId === vmId) return vm;
    throw new DomainError('conflict_state', 'only a VM that runs can be made a template: start it');
  }

  async #cpuOf(spec: LaunchSpec): Promise<CpuPlan> {
    return dependsOnHost(spec) ? planCpu(spec, await this.#host.recent()) : PLAIN_CPU;
  }

  #held(runDir: string): QemuVm | undefined {
    const vm = this.#vms.get(runDir);
    return vm?.isLive === true ? vm : undefined;
  }

  #hold(vm: QemuVm): QemuVm {
    this.#vms.set(vm.folder.path, vm);
    this.#trimLater();
    return vm;
  }

  #trimLater(): void {
    this.#trimTimer ??= setTimeout(() => void this.#trim(), TRIM_ROUND_MS).unref();
  }

  /** One log after the other: trimming is never urgent, and must not take the thread pool from VMs. */
  async #trim(): Promise<void> {
    for (const [runDir, vm] of [...this.#vms]) {
      // Also when it has ended: a VM that ends before each round would otherwise add to its log without bound.
      await trimConsole(vm.folder.consoleLog).catch(() => undefined);
      // QEMU notes on it each page that a fork's guest would give back (ram_block_discard_range).
      await trimConsole(vm.folder.processLog).catch(() => undefined);
      if (!vm.isLive && this.#vms.get(runDir) === vm) this.#vms.delete(runDir);
    }
    this.#trimTimer = undefined;
    if (this.#vms.size > 0) this.#trimLater();
  }
}

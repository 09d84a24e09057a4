import { randomUUID } from 'node:crypto';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { TemplateFacts, VmExit, VmPower } from '@kvorum/hypervisor-driver';
import { DomainError } from '@kvorum/schema';
import { assertNever } from '../assert-never.js';
import { makeSeed } from '../cloud-init/make-seed.js';
import { NO_CLAIM } from '../cpu/plan-pinning.js';
import { machineTypeOf } from './choose-machine-type.js';
import { claimVolumes, NO_POOLED_FILES, releaseVolumes, withClaims } from './claimed-volumes.js';
import { forkVm, templateToFork } from './fork-of-vm.js';
import { lackingRoom } from './lacking-room.js';
import { LiveVm } from './live-vm.js';
import { changedRecord, growDisks, launchSpecOf, machineSpecOf } from './machine-of-vm.js';
import { refreshFork } from './refresh-fork.js';
import { stopGracefully } from './stop-gracefully.js';
import { type Action, nextAction } from './vm-actor-rules.js';
import type { VmHost } from './vm-host.js';
import type { VmMemory } from './vm-memory.js';
import { machineOf, type Run, type VmRecord, type VmSpec } from './vm-record.js';

/** QEMU closes its disks within a second; a slow host gets ten times that before SIGKILL. */
const END_TIMEOUT_MS = 10_000;
/** Sweep, end, launch, reset, resume: no way is longer; more means that two rules contradict each other. */
const ACTIONS_PER_REQUEST_MAX = 8;
/** A sign of life right after an adoption; a monitor that says nothing is found hanging then. */
const FIRST_CHECK_TIMEOUT_MS = 500;
/**
 * The process of one VM, on behalf of its actor. Called from the actor's mailbox alone, so that no two of its methods
 * ever run at once; `onExit` posts to that mailbox.
 */
export class VmProcess {
  readonly #host: VmHost;
  readonly #memory: VmMemory;
  readonly #onExit: (settle: () => Promise<void>) => void;
  #live: LiveVm | null = null;

  constructor(host: VmHost, memory: VmMemory, onExit: (settle: () => Promise<void>) => void) {
    this.#host = host;
    this.#memory = memory;
    this.#onExit = onExit;
  }

  get live(): LiveVm | null {
    return this.#live;
  }

  /**
   * Does what the record asks for. Throws `stale_generation` if `superseded` was raised while the guest was given time
   * to shut down.
   */
  async converge(superseded: AbortSignal): Promise<void> {
    for (let count = 0; count < ACTIONS_PER_REQUEST_MAX; count += 1) {
      if (this.#live?.exit != null) await this.#settle(this.#live);
      const record = this.#memory.record;
      const action = record === null ? null : nextAction(record, this.#live, Date.now());
      if (record === null || action === null) return;
      this.#host.log.debug({ vmId: this.#memory.vmId, action: action.kind, epoch: record.epoch }, 'acting on a VM');
      await this.#perform(action, record, superseded);
    }
    throw new DomainError('bug', `the VM did not settle within ${ACTIONS_PER_REQUEST_MAX} actions`);
  }

  /**
   * Finds the process that an earlier agent left and holds it again, untouched. One that is gone is remembered as a
   * crash; it is never started again from here.
   */
  async adopt(record: VmRecord, run: Run): Promise<void> {
    // Before anything can fail: what a VM that cannot be examined may be using is not given to another.
    if (run.phase !== 'ended') this.#host.cpus.restore(record.vmId, run.claim);
    const vm = await this.#host.driver.adopt(record.vmId, this.#host.folders.runDirOf(record.vmId));
    if (vm === null) {
      this.#host.cpus.release(record.vmId);
      if (run.phase !== 'ended') await this.#rememberLoss(record, run);
      return this.releaseClaims();
    }
    this.#host.cpus.restore(record.vmId, run.claim);
    // Of one that hangs the power is not known: as it was wanted is most likely. If it ends right now, its own task tells.
    const live = this.#attach(vm, record.wanted?.power === 'paused' ? 'paused' : 'running');
    await live.check(FIRST_CHECK_TIMEOUT_MS);
    const adopted: VmRecord = {
      ...record,
      epoch: Math.max(record.epoch, vm.epoch),
      fork: { ...record.fork, hasRun: record.spec?.templateId != null },
      run: { ...run, epoch: vm.epoch, phase: 'up', exit: null },
    };
    await this.#memory.save(adopted);
    await this.#endFreeze(adopted, live);
    this.#refreshFork();
  }

  /** Throws what HypervisorDriver.freezeTemplate throws. `isLast`: the VM stands still afterwards. */
  async freezeTemplate(record: VmRecord, templateId: string, isLast: boolean): Promise<TemplateFacts> {
    const { templates, folders } = this.#host;
    const present = templates.find(templateId);
    if (present !== null) return present;
    const live = this.#live;
    if (live === null) throw new DomainError('conflict_state', 'only a VM that runs can be made a template: start it');
    if (record.claims.length > 0) {
      throw new DomainError('conflict_state', 'a VM with volumes on pools cannot be made a template');
    }
    // Before it stands still: whoever comes after a crash lets it go on.
    await this.#memory.save({ ...record, freezingTemplateId: templateId });
    const golden = await launchSpecOf(this.#host, record, NO_POOLED_FILES, false);
    const [folder, runDir] = [folders.templateOf(templateId), folders.runDirOf(templateId)];
    try {
      const facts = await templates.make({ templateId, folder, runDir, golden, goesOn: !isLast });
      this.#powerIs(live, isLast ? 'paused' : 'running');
      return facts;
    } finally {
      const now = this.#memory.record ?? record;
      await this.#memory.save({ ...now, freezingTemplateId: null });
    }
  }

  /** What an agent that died has left of a VM it was making a template of. */
  async #endFreeze(record: VmRecord, live: LiveVm): Promise<void> {
    const { driver, folders, log } = this.#host;
    const { freezingTemplateId: templateId } = record;
    if (templateId === null) return;
    log.info({ vmId: record.vmId, templateId }, 'a VM goes on that an earlier agent was making a template of');
    await driver.sweep(templateId, folders.runDirOf(templateId));
    await driver.endFreeze(await launchSpecOf(this.#host, record, NO_POOLED_FILES, false));
    this.#powerIs(live, 'running');
    await this.#memory.save({ ...record, freezingTemplateId: null });
  }

  /** Not waited for: a guest that does not answer holds nobody up. What it could not be given is told as a condition. */
  #refreshFork(): void {
    const live = this.#live;
    const record = this.#memory.record;
    if (live === null || live.power !== 'running' || record?.spec?.templateId == null || record.fork.isFresh) return;
    if (record.run?.epoch !== live.epoch || live.isRefreshing) return;
    live.isRefreshing = true;
    const told = refreshFork(live.vm.guest).then((lack) => {
      if (lack !== null) live.staleIdentity = { kind: 'identity-stale', sinceMs: Date.now(), detail: lack };
      this.#host.log.info({ vmId: live.vm.vmId, lack }, 'a fork has been given its time and randomness');
      this.#onExit(async () => {
        const now = this.#memory.record;
        if (now !== null) await this.#memory.save({ ...now, fork: { ...now.fork, isFresh: true } });
        this.#host.onChange(live.vm.vmId);
      });
    });
    // The VM has ended: its next start boots.
    told.catch(() => undefined);
  }

  /** Lets a VM that ought to run go on after its disk was full, if the disk has space again. */
  async resumeWithSpace(record: VmRecord): Promise<void> {
    const live = this.#live;
    if (live === null || !live.isOutOfDisk || live.power !== 'paused' || record.wanted?.power !== 'running') return;
    const lacking = await lackingRoom(this.#host, record);
    live.waitsFor = lacking;
    if (lacking !== null) return;
    await live.vm.resume();
    this.#host.log.info({ vmId: record.vmId }, 'a VM goes on: its disk has space again');
    this.#powerIs(live, 'running');
  }

  /** Ends what runs and removes all the host keeps of the VM but the tombstone. */
  async sweep(): Promise<void> {
    const { driver, folders, cpus } = this.#host;
    if (this.#live !== null) await this.#end(this.#live);
    const runDir = folders.runDirOf(this.#memory.vmId);
    await driver.sweep(this.#memory.vmId, runDir);
    cpus.release(this.#memory.vmId);
    await this.releaseClaims();
    await rm(runDir, { recursive: true, force: true });
    const disks = folders.disksOf(this.#memory.vmId);
    const recorded = Object.keys(this.#memory.record?.volumes ?? {}).map((volumeId) => `${volumeId}.qcow2`);
    // Also what lies beside the recorded disks, such as the temporary file of an interrupted one.
    const found = await readdir(disks).catch(() => []);
    for (const name of new Set([...recorded, ...found])) await driver.removeDisk(join(disks, name));
    await rm(disks, { recursive: true, force: true });
    await rm(folders.firmwareOf(this.#memory.vmId), { recursive: true, force: true });
    const record = this.#memory.record;
    if (record?.tombstone == null) return;
    await this.#memory.save({
      ...record,
      spec: null,
      vmGenerationId: null,
      fork: { hasRun: false, isFresh: false },
      freezingTemplateId: null,
      wanted: null,
      stopBy: null,
      reset: null,
      // Its epoch stays used, should a newer intent bring the VM back.
      run: record.run && { ...record.run, phase: 'ended', claim: NO_CLAIM },
      volumes: {},
      removedVolumeIds: [],
      tombstone: { ...record.tombstone, isSwept: true },
    });
  }

  /** Lets go of the process, which goes on. */
  async release(): Promise<void> {
    await this.#live?.release();
  }

  async #perform(action: Action, record: VmRecord, superseded: AbortSignal): Promise<void> {
    if (action.kind === 'launch') return this.#launch(record, action.isPaused);
    if (action.kind === 'sweep') return this.sweep();
    const live = this.#live;
    if (live === null) return;
    switch (action.kind) {
      case 'end':
        return this.#end(live);
      case 'stop-gracefully': {
        const outcome = await stopGracefully(live, action.untilMs, superseded);
        if (outcome === 'superseded') return this.#giveWay(live);
        return outcome === 'exited' ? this.#settle(live) : this.#end(live);
      }
      case 'pause':
        await live.vm.pause();
        return this.#powerIs(live, 'paused');
      case 'resume':
        await live.vm.resume();
        this.#powerIs(live, 'running');
        return this.#refreshFork();
      case 'reset':
        // Remembered afterwards: a crash in between presses it twice, the other order might lose it.
        await live.vm.reset();
        return this.#memory.save({ ...record, reset: record.reset && { ...record.reset, isDone: true } });
      case 'change':
        return this.#change(live, record);
      default:
        return assertNever(action);
    }
  }

  async #change(live: LiveVm, record: VmRecord): Promise<void> {
    const { spec, run } = record;
    if (spec === null) return;
    const claims = withClaims(record.claims, spec.pooledVolumes);
    // First: a change that is cut off or fails leaves a machine of which nothing is known, and is compared again.
    await this.#memory.save({ ...record, claims, run: run && { ...run, machine: null } });
    const used = claims.map(({ volumeId }) => volumeId);
    await this.#host.merges.holding(used, async () =>
      live.vm.ensureMachine(await machineSpecOf(this.#host, record, await claimVolumes(this.#host, spec))),
    );
    const isUsed = (volumeId: string) => spec.pooledVolumes.some((one) => one.volumeId === volumeId);
    const left = await releaseVolumes(
      this.#host,
      claims.filter(({ volumeId }) => !isUsed(volumeId)),
    );
    await this.#memory.save(changedRecord({ ...record, claims: [...left, ...spec.pooledVolumes] }));
  }

  /** Makes one of the VM's volumes on pools larger in the running machine; the pool decides what it becomes. */
  async growPooled(live: LiveVm, record: VmRecord, volumeId: string): Promise<(sizeBytes: number) => Promise<void>> {
    const { spec } = record;
    if (spec === null) throw new TypeError(`VM ${record.vmId} that runs has a specification`);
    const files = new Map(await claimVolumes(this.#host, spec));
    const file = files.get(volumeId);
    if (file === undefined) throw new DomainError('conflict_state', `the running VM has no volume ${volumeId}`);
    return async (sizeBytes) => {
      files.set(volumeId, { ...file, sizeBytes });
      await live.vm.ensureMachine(await machineSpecOf(this.#host, record, files));
    };
  }

  /** Gives up the volumes of a VM whose process is certainly gone. */
  async releaseClaims(): Promise<void> {
    const record = this.#memory.record;
    if (this.#live !== null || record === null || record.claims.length === 0) return;
    const claims = await releaseVolumes(this.#host, record.claims);
    if (this.#memory.record !== null) await this.#memory.save({ ...this.#memory.record, claims });
  }

  async #launch(record: VmRecord, isPaused: boolean): Promise<void> {
    const { spec } = record;
    if (spec !== null && !this.#host.accelerators.includes(spec.accelerator)) {
      throw new DomainError('conflict_state', `this host does not offer ${spec.accelerator}`);
    }
    if (spec === null || !hasRootDisk(record, spec)) {
      throw new DomainError('conflict_state', 'the root disk of the VM is not on this host');
    }
    const machineType = machineTypeOf(record, this.#host);
    const runDir = this.#host.folders.runDirOf(this.#memory.vmId);
    // An earlier attempt may have left a process that nobody has heard of.
    if (record.run !== null) await this.#host.driver.sweep(this.#memory.vmId, runDir);
    const claim = this.#host.cpus.claim(this.#memory.vmId, spec);
    const { accelerator } = spec;
    const templateId = templateToFork(record);
    const machine = machineOf(spec);
    const run: Run = { epoch: record.epoch, phase: 'launching', accelerator, claim, machine, exit: null };
    // On the disk before a guest sees it: after a crash it starts with the same one.
    const vmGenerationId = record.vmGenerationId ?? randomUUID();
    const claims = withClaims(record.claims, spec.pooledVolumes);
    const launching: VmRecord = changedRecord({ ...record, machineType, vmGenerationId, run, claims });
    try {
      await this.#memory.save({ ...launching, volumes: record.volumes });
      await mkdir(runDir, { recursive: true, mode: 0o700 });
      // Others make room before the VM has its first instruction.
      if (claim.vcpuCpus.length > 0) await this.#host.placeThreads();
      await growDisks(this.#host, record);
      await makeSeed(this.#host, record);
      const wanted = await launchSpecOf(this.#host, launching, await claimVolumes(this.#host, spec), isPaused);
      const vm = await (templateId === null
        ? this.#host.driver.launch(wanted)
        : forkVm(this.#host, record, wanted, templateId));
      this.#attach(vm, isPaused ? 'paused' : 'running');
    } catch (thrown) {
      await this.#cleanUpAfterLaunch(launching, run, thrown);
      throw thrown;
    }
    // Who claimed CPUs while this VM was being launched has not met its threads.
    await this.#host.placeThreads();
    // A fresh start is a reset as well.
    await this.#memory.save({
      ...launching,
      reset: record.reset && { ...record.reset, isDone: true },
      fork: { ...record.fork, hasRun: record.fork.hasRun || templateId !== null },
      run: { ...run, phase: 'up' },
    });
    this.#refreshFork();
  }

  async #cleanUpAfterLaunch(record: VmRecord, run: Run, thrown: unknown): Promise<void> {
    this.#host.cpus.release(this.#memory.vmId);
    const detail = thrown instanceof DomainError ? thrown.message : 'the launch failed';
    try {
      await this.#host.driver.sweep(this.#memory.vmId, this.#host.folders.runDirOf(this.#memory.vmId));
      await this.#memory.save({ ...record, run: { ...run, exit: { reason: 'crash', detail } } });
      await this.releaseClaims();
    } catch (cause) {
      // The record says `launching`: the next attempt, or the next start of the agent, sweeps first.
      this.#host.log.warn(
        { vmId: this.#memory.vmId, error: String(cause) },
        'could not clean up after a failed launch',
      );
    }
  }

  async #end(live: LiveVm): Promise<void> {
    live.isEndRequested = true;
    await live.vm.end(END_TIMEOUT_MS);
    live.exit ??= await live.vm.exited;
    await this.#settle(live);
  }

  #giveWay(live: LiveVm): never {
    live.isEndRequested = false;
    throw new DomainError('stale_generation', 'a newer intent for this VM has arrived');
  }

  #powerIs(live: LiveVm, power: VmPower): void {
    live.power = power;
    this.#host.onChange(this.#memory.vmId);
  }

  #attach(vm: LiveVm['vm'], power: VmPower): LiveVm {
    this.#live = new LiveVm(vm, power, {
      onChange: () => this.#host.onChange(vm.vmId),
      onExit: (live) => this.#onExit(() => this.#settle(live)),
    });
    this.#host.onChange(vm.vmId);
    return this.#live;
  }

  /** Takes note that a process is gone; nothing to do if that was noted before. */
  async #settle(live: LiveVm): Promise<void> {
    if (this.#live !== live || live.exit === null) return;
    this.#live = null;
    this.#host.cpus.release(this.#memory.vmId);
    const record = this.#memory.record;
    if (record?.run == null) return;
    // What it had for itself is for all again; the audit does it if this fails.
    if (record.run.claim.vcpuCpus.length > 0) void this.#host.placeThreads();
    const exit: VmExit = live.isEndRequested ? { ...live.exit, reason: 'requested' } : live.exit;
    this.#host.log.info({ vmId: this.#memory.vmId, epoch: live.epoch, reason: exit.reason }, 'a VM has ended');
    await this.#memory.save({ ...record, run: { ...record.run, epoch: live.epoch, phase: 'ended', exit } });
    await this.releaseClaims();
  }

  async #rememberLoss(record: VmRecord, run: Run): Promise<void> {
    const { driver, folders } = this.#host;
    const past = await driver.readExit(record.vmId, folders.runDirOf(record.vmId));
    if (past?.epoch === run.epoch) {
      const fork = { ...record.fork, hasRun: record.spec?.templateId != null };
      return this.#memory.save({ ...record, fork, run: { ...run, phase: 'ended', exit: past.exit } });
    }
    const exit: VmExit = { reason: 'crash', detail: 'the process was gone when the agent came back' };
    // `launching` stays: whether it ever ran is not known, so that its epoch may still be used.
    await this.#memory.save({ ...record, run: { ...run, phase: run.phase === 'up' ? 'ended' : run.phase, exit } });
  }
}

const hasRootDisk = ({ volumes }: VmRecord, { rootVolumeId, pooledVolumes }: VmSpec): boolean =>
  volumes[rootVolumeId]?.isComplete === true || pooledVolumes.some(({ volumeId }) => volumeId === rootVolumeId);

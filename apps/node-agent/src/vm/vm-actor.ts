import type { TemplateFacts } from '@kvorum/hypervisor-driver';
import { DomainError, type ErrorCode, memoryOverheadBytes } from '@kvorum/schema';
import type { LiveVm } from './live-vm.js';
import { baseOf } from './machine-of-vm.js';
import { Mailbox } from './mailbox.js';
import { admit, type Demand, type Intent, type WantedPower } from './vm-actor-rules.js';
import type { VmCondition } from './vm-condition.js';
import type { VmHost } from './vm-host.js';
import { VmMemory } from './vm-memory.js';
import { VmProcess } from './vm-process.js';
import { compareFences, type Fence, type Offer, type VmRecord, type VmSpec } from './vm-record.js';
import { exitOf, unreadableSnapshot, type VmSnapshot } from './vm-snapshot.js';

/** A VM that runs, for a task of its volumes. */
export interface VmRun {
  readonly live: LiveVm;
  readonly record: VmRecord;
  /** What makes a volume of the running VM larger. */
  growPooled(volumeId: string): Promise<(sizeBytes: number) => Promise<void>>;
}

export interface DiskDemand {
  readonly volumeId: VmRecord['removedVolumeIds'][number];
  readonly sizeBytes: number;
  /** Null: an empty disk, or one that rests on a template's. */
  readonly imageSha256: string | null;
  /** Left out: it rests on none. */
  readonly templateId?: string | null;
}

/** What a host has taken over of a VM from another. */
export type ReceivedVm = Pick<VmRecord, 'machineType' | 'vmGenerationId' | 'volumes'>;

/**
 * The only owner of one VM on this host. Requests are carried out one after the other; what was asked is on the disk
 * before it is acted upon. Nothing else starts, ends or changes the VM's process, disks or record.
 */
export class VmActor {
  readonly vmId: string;
  readonly #host: VmHost;
  readonly #memory: VmMemory;
  readonly #process: VmProcess;
  readonly #mailbox = new Mailbox();
  /** The highest fence that was posted; cuts short the grace period of an older one. */
  #newest: Fence = { generation: 0, fencingToken: 0 };
  #current: { fence: Fence; superseded: AbortController } | null = null;
  #isClosing = false;
  /** Why nothing is known of the VM's process, or of the VM at all. */
  #obstacle: VmCondition | null;

  /** `unreadable`: why the VM's record cannot be understood; the VM is left untouched then. */
  constructor(host: VmHost, vmId: string, record: VmRecord | null, unreadable: string | null = null) {
    this.#host = host;
    this.#obstacle =
      unreadable === null ? null : { kind: 'record-unreadable', sinceMs: Date.now(), detail: unreadable };
    this.vmId = vmId;
    this.#memory = new VmMemory(host, vmId, record);
    this.#process = new VmProcess(host, this.#memory, (settle) => this.#postExit(settle));
  }

  get record(): VmRecord | null {
    return this.#memory.record;
  }
  get live(): LiveVm | null {
    return this.#process.live;
  }
  /** Nothing is known of the VM and nobody asks for it. */
  get isForgettable(): boolean {
    return this.#memory.record === null && this.#obstacle === null && this.#mailbox.isIdle;
  }
  /** It could not be found out whether its process runs: `recover` tries again. */
  get isUnexamined(): boolean {
    return this.#obstacle?.kind === 'unexamined';
  }

  /** Throws `guest_fault` if the VM ought to run but the run of this epoch has ended. */
  ensureVm(intent: Intent, spec: VmSpec, wanted: WantedPower, signal?: AbortSignal): Promise<VmSnapshot> {
    return this.#post(intent, signal, async (superseded) => {
      await this.#admit(intent, { kind: 'ensure-vm', spec, wanted });
      await this.#process.converge(superseded);
      return this.#outcome();
    });
  }

  removeVm(intent: Intent, signal?: AbortSignal): Promise<void> {
    return this.#post(intent, signal, async (superseded) => {
      await this.#admit(intent, { kind: 'remove-vm' });
      await this.#process.converge(superseded);
    });
  }

  /** Throws `conflict_state` if the image is not in the cache or the disk exists with another size or image. */
  ensureDisk(intent: Intent, disk: DiskDemand, signal?: AbortSignal): Promise<void> {
    return this.#post(intent, signal, async () => {
      const record = this.#admitted(intent, { kind: 'ensure-disk', volumeId: disk.volumeId });
      const { volumeId, sizeBytes, imageSha256, templateId = null } = disk;
      const present = record.volumes[volumeId];
      const isOther =
        present?.sizeBytes !== sizeBytes || present.imageSha256 !== imageSha256 || present.templateId !== templateId;
      if (present?.isComplete === true && isOther) {
        return this.#refuse(record, 'conflict_state', 'the disk exists with another size, image or template');
      }
      if (present?.isComplete === true && this.#process.live !== null) return this.#memory.save(record);
      if (imageSha256 !== null && (await this.#host.imagePath(imageSha256)) === null) {
        return this.#refuse(record, 'conflict_state', 'the image of the disk is not on this host');
      }
      if (templateId !== null && this.#host.templates.find(templateId) === null) {
        return this.#refuse(record, 'conflict_state', 'the template of the disk is not on this host');
      }
      const make = () => this.#makeDisk(record, disk, present?.isComplete ?? false);
      return templateId === null ? make() : this.#host.templates.holding(templateId, make);
    });
  }

  async #makeDisk(
    record: VmRecord,
    { volumeId, templateId = null, ...sized }: DiskDemand,
    wasComplete: boolean,
  ): Promise<void> {
    const disk = { ...sized, templateId, isComplete: true };
    const withDisk = (isComplete: boolean): VmRecord => ({
      ...record,
      volumes: { ...record.volumes, [volumeId]: { ...disk, isComplete } },
    });
    await this.#memory.save(withDisk(wasComplete));
    const { folders, driver } = this.#host;
    await folders.createDisksOf(this.vmId);
    const path = folders.diskOf(this.vmId, volumeId);
    await driver.ensureDisk({ path, sizeBytes: disk.sizeBytes, ...baseOf(this.#host, disk) });
    await this.#memory.save(withDisk(true));
  }

  freezeTemplate(intent: Intent, templateId: string, isLast: boolean, signal?: AbortSignal): Promise<TemplateFacts> {
    return this.#post(intent, signal, async () => {
      const record = await this.#admit(intent, { kind: 'freeze-template' });
      return this.#process.freezeTemplate(record, templateId, isLast);
    });
  }

  removeDisk(intent: Intent, volumeId: DiskDemand['volumeId'], signal?: AbortSignal): Promise<void> {
    return this.#post(intent, signal, async () => {
      const record = this.#admitted(intent, { kind: 'remove-disk', volumeId });
      if (this.#process.live !== null && isDiskOf(record, volumeId)) {
        const kept = record.removedVolumeIds.filter((removedId) => removedId !== volumeId);
        return this.#refuse({ ...record, removedVolumeIds: kept }, 'in_use', 'the VM runs on this disk');
      }
      await this.#memory.save(record);
      await this.#host.driver.removeDisk(this.#host.folders.diskOf(this.vmId, volumeId));
      const { [volumeId]: _removed, ...volumes } = record.volumes;
      await this.#memory.save({ ...record, volumes });
    });
  }

  /** Lets another host copy the VM. Throws `conflict_state` while it runs. */
  offerVm(intent: Intent, offer: Offer, signal?: AbortSignal): Promise<void> {
    return this.#post(intent, signal, async () => {
      const record = this.#admitted(intent, { kind: 'offer-vm', offer });
      if (this.#process.live !== null) {
        return this.#refuse({ ...record, offer: null }, 'conflict_state', 'the VM runs on this host');
      }
      // A launch that failed may have left a process that nobody has heard of.
      if (record.run?.phase === 'launching') {
        await this.#host.driver.sweep(this.vmId, this.#host.folders.runDirOf(this.vmId));
      }
      await this.#memory.save(record);
    });
  }

  withdrawOffer(intent: Intent, signal?: AbortSignal): Promise<void> {
    return this.#post(intent, signal, () => this.#admit(intent, { kind: 'withdraw-offer' }).then(() => undefined));
  }

  /**
   * Takes the VM over from another host by `receive`, which is broken off when a newer intent arrives or the caller gives up.
   * Nothing is received twice under one operation.
   */
  receiveVm(
    intent: Intent,
    spec: VmSpec,
    receive: (stop: AbortSignal) => Promise<ReceivedVm>,
    signal: AbortSignal,
  ): Promise<VmSnapshot> {
    return this.#post(intent, signal, async (superseded) => {
      const record = await this.#admit(intent, { kind: 'receive-vm' });
      if (record.spec === null) {
        const received = await receive(AbortSignal.any([superseded, signal])).catch((thrown: unknown) => {
          if (!superseded.aborted) throw thrown;
          throw new DomainError('stale_generation', 'a newer intent for this VM has arrived', { cause: thrown });
        });
        const wanted = { power: 'stopped', fence: record.fence } as const;
        await this.#memory.save({ ...record, ...received, spec, wanted });
      }
      return this.#outcome();
    });
  }

  /** Returns what the balloon says. Throws `conflict_state` if the VM does not run, `invalid_request` out of bounds. */
  ensureBalloon(intent: Intent, targetBytes: number, signal?: AbortSignal): Promise<number> {
    return this.#post(intent, signal, async () => {
      const record = await this.#admit(intent, { kind: 'ensure-balloon' });
      if (this.#process.live === null || record.spec === null) {
        throw new DomainError('conflict_state', 'the VM does not run on this host');
      }
      if (targetBytes > record.spec.memoryBytes) {
        throw new DomainError('invalid_request', `the VM has ${record.spec.memoryBytes} bytes of memory at most`);
      }
      return this.#process.live.vm.setBalloon(targetBytes);
    });
  }

  /**
   * The word of the host's policy, not an intent: it is given only to the run that it is for, while that runs and nobody
   * asks for anything. It stays out of the mailbox, so that no intent ever waits for it; one that comes meanwhile does
   * not mind, as a balloon's target is one number and its process refuses what comes too late. Null: not given.
   */
  async adjustBalloon(epoch: number, targetBytes: number): Promise<number | null> {
    const live = this.#process.live;
    const isFree = this.#mailbox.isIdle && !this.#isClosing;
    if (!isFree || live === null || live.epoch !== epoch || live.power !== 'running') return null;
    return live.vm.setBalloon(targetBytes);
  }

  /** null: nothing of this VM is on the host that would be worth a report. */
  snapshot(): VmSnapshot | null {
    const record = this.#memory.record;
    if (this.#obstacle?.kind === 'record-unreadable') return unreadableSnapshot(this.vmId, this.#obstacle);
    if (record === null || record.spec === null) return null;
    const live = this.#process.live;
    const obstacles = this.#obstacle === null ? [] : [this.#obstacle];
    return {
      vmId: this.vmId,
      // Nothing runs: that is true for every epoch up to the highest that was seen.
      epoch: live?.epoch ?? record.epoch,
      generation: record.fence.generation,
      power: live?.power ?? (this.#obstacle === null ? 'stopped' : 'unknown'),
      exit: live === null && this.#obstacle === null ? exitOf(record) : null,
      accelerator: live?.vm.accelerator ?? record.spec.accelerator,
      machineType: record.machineType,
      pid: live?.vm.pid ?? null,
      conditions: [...obstacles, ...(live?.conditions ?? [])],
      placement: live === null ? null : this.#host.cpus.placementOf(this.vmId),
      promisedOverheadBytes: memoryOverheadBytes(record.spec),
    };
  }

  /**
   * Takes over after a restart of the agent: finds the process and holds it again, untouched. One that is gone is a
   * crash, to be reported; it is never started again from here. Finishes removals that were interrupted. What goes wrong
   * is this VM's condition, and no other's: `isUnexamined` then.
   */
  recover(): Promise<void> {
    return this.#mailbox.postInternal(() => this.#examine().catch(() => undefined));
  }

  /** Lets the VM go on if its full disk was what stopped it, and has space again. */
  resumeWithSpace(): Promise<void> {
    return this.#mailbox.postInternal(async () => {
      if (this.#memory.record !== null) await this.#process.resumeWithSpace(this.#memory.record);
    });
  }

  /** Volumes of pools that were not released yet, although nothing runs. */
  get isHoldingVolumes(): boolean {
    return this.live === null && this.#obstacle === null && (this.#memory.record?.claims.length ?? 0) > 0;
  }

  releaseVolumes(): Promise<void> {
    return this.#mailbox.postInternal(() => this.#process.releaseClaims());
  }

  /**
   * Runs a task with the VM's process as it is between intents: nothing starts, ends or changes it meanwhile. Null: it does not run
   * here.
   */
  withRun<Result>(task: (run: VmRun | null) => Promise<Result>, signal?: AbortSignal): Promise<Result> {
    return this.#mailbox.post(async () => {
      await this.#assertKnown();
      const { live } = this.#process;
      const { record } = this.#memory;
      if (live === null || live.exit !== null || record === null) return task(null);
      return task({ live, record, growPooled: (volumeId) => this.#process.growPooled(live, record, volumeId) });
    }, signal);
  }

  /** Forgets a swept tombstone older than `olderThanMs` (Unix ms). */
  forgetTombstone(olderThanMs: number): Promise<void> {
    return this.#mailbox.postInternal(async () => {
      const tombstone = this.#memory.record?.tombstone;
      if (tombstone?.isSwept !== true || tombstone.removedAtMs >= olderThanMs) return;
      await this.#memory.forget();
    });
  }

  /** Lets go of the VM without touching it. */
  async close(): Promise<void> {
    this.#isClosing = true;
    this.#current?.superseded.abort();
    await this.#mailbox.close();
    await this.#process.release();
  }

  #post<Result>(
    intent: Intent,
    signal: AbortSignal | undefined,
    task: (superseded: AbortSignal) => Promise<Result>,
  ): Promise<Result> {
    if (compareFences(intent, this.#newest) > 0) {
      this.#newest = { generation: intent.generation, fencingToken: intent.fencingToken };
    }
    if (this.#current !== null && compareFences(intent, this.#current.fence) > 0) this.#current.superseded.abort();
    return this.#mailbox.post(async () => {
      const superseded = new AbortController();
      if (compareFences(this.#newest, intent) > 0 || this.#isClosing) superseded.abort();
      this.#current = { fence: intent, superseded };
      try {
        await this.#assertKnown();
        return await task(superseded.signal);
      } catch (thrown) {
        if (this.#isClosing)
          throw new DomainError('unavailable', 'the agent is shutting down; ask again', { cause: thrown });
        throw thrown;
      } finally {
        this.#current = null;
      }
    }, signal);
  }

  /** Throws what stands in the way of finding the VM's process, and remembers it. */
  async #examine(): Promise<void> {
    const record = this.#memory.record;
    try {
      if (record?.tombstone?.isSwept === false) await this.#process.sweep();
      else if (record?.tombstone === null && record.run !== null) await this.#process.adopt(record, record.run);
    } catch (thrown) {
      const detail = thrown instanceof Error ? thrown.message : String(thrown);
      this.#host.log.warn({ vmId: this.vmId, error: detail }, 'a VM could not be examined; trying again');
      if (this.#obstacle?.detail !== detail) {
        this.#obstacle = { kind: 'unexamined', sinceMs: this.#obstacle?.sinceMs ?? Date.now(), detail };
        this.#host.onChange(this.vmId);
      }
      throw thrown;
    }
    if (this.#obstacle?.kind !== 'unexamined') return;
    this.#obstacle = null;
    this.#host.onChange(this.vmId);
  }

  /** No request is acted upon while it is not known what it would meet: there might be a second process. */
  async #assertKnown(): Promise<void> {
    if (this.#obstacle?.kind === 'record-unreadable') throw new DomainError('host_fault', this.#obstacle.detail);
    if (!this.isUnexamined) return;
    await this.#examine().catch((cause: unknown) => {
      throw new DomainError('unavailable', `whether the VM runs is not known: ${this.#obstacle?.detail}`, { cause });
    });
  }

  #postExit(settle: () => Promise<void>): void {
    if (this.#isClosing) return;
    this.#mailbox.postInternal(settle).catch((thrown: unknown) => {
      this.#host.log.warn({ vmId: this.vmId, error: String(thrown) }, 'an exit could not be recorded');
    });
  }

  /** Remembers the intent, or throws why it is refused. */
  async #admit(intent: Intent, demand: Demand): Promise<VmRecord> {
    const record = this.#admitted(intent, demand);
    await this.#memory.save(record);
    return record;
  }

  #admitted(intent: Intent, demand: Demand): VmRecord {
    const admission = admit(this.#memory.record, intent, demand, Date.now());
    if (admission.kind === 'refused') throw new DomainError(admission.code, admission.message);
    return admission.record;
  }

  /** For what cannot be done although the intent is valid: older ones are fenced all the same. */
  async #refuse(record: VmRecord, code: ErrorCode, message: string): Promise<never> {
    await this.#memory.save(record);
    throw new DomainError(code, message);
  }

  #outcome(): VmSnapshot {
    const snapshot = this.snapshot();
    const wanted = this.#memory.record?.wanted?.power;
    if (snapshot === null) throw new DomainError('not_found', 'this host does not know the VM');
    if (wanted !== 'stopped' && snapshot.power === 'stopped') {
      throw new DomainError('guest_fault', 'the VM was started, and its process has ended since', {
        details: { reason: snapshot.exit?.reason ?? 'crash', detail: snapshot.exit?.detail ?? '' },
      });
    }
    return snapshot;
  }
}

const isDiskOf = ({ spec, run }: VmRecord, volumeId: string): boolean =>
  spec?.rootVolumeId === volumeId ||
  (run?.machine?.devices ?? spec?.hardware.devices)?.dataDisks.some(({ id }) => id === volumeId) === true;

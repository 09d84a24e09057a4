import { DomainError } from '@kvorum/schema';
import type { LiveVm } from './live-vm.js';
import { VmActor } from './vm-actor.js';
import type { VmHost } from './vm-host.js';
import type { RecordsOnDisk } from './vm-record-files.js';
import type { VmSnapshot } from './vm-snapshot.js';

/** Records of VMs and of removed VMs together; keeps a full report below a gRPC message of 4 MiB. */
const VMS_PER_HOST_MAX = 4_096;
/** Longer than any operation and its calls can live: after it no late request can come. */
const TOMBSTONE_AGE_MS_MAX = 7 * 24 * 3_600_000;

/** The actors of this host, one per VM. */
export class VmDirectory {
  readonly #host: VmHost;
  readonly #actors = new Map<string, VmActor>();
  #isClosing = false;

  constructor(host: VmHost, { records, unreadable }: RecordsOnDisk) {
    this.#host = host;
    for (const record of records) this.#actors.set(record.vmId, new VmActor(host, record.vmId, record));
    for (const { vmId, detail } of unreadable) this.#actors.set(vmId, new VmActor(host, vmId, null, detail));
  }

  /** The actor of a VM, new if the VM is. Throws `no_capacity` when the host has too many. */
  actorOf(vmId: string): VmActor {
    if (this.#isClosing) throw new DomainError('unavailable', 'the agent is shutting down; ask again');
    const known = this.#actors.get(vmId);
    if (known !== undefined) return known;
    if (this.#actors.size >= VMS_PER_HOST_MAX) this.#dropForgettable();
    if (this.#actors.size >= VMS_PER_HOST_MAX) {
      throw new DomainError('no_capacity', `the host keeps records of ${VMS_PER_HOST_MAX} VMs at most`);
    }
    const actor = new VmActor(this.#host, vmId, null);
    this.#actors.set(vmId, actor);
    return actor;
  }

  find(vmId: string): VmActor | null {
    return this.#actors.get(vmId) ?? null;
  }

  /** The VM's run; null: it does not run. Undefined: that is not known (yet). */
  runOf(vmId: string): LiveVm | null | undefined {
    const actor = this.#actors.get(vmId);
    return actor?.isUnexamined === true ? undefined : (actor?.live ?? null);
  }

  get actors(): readonly VmActor[] {
    return [...this.#actors.values()];
  }

  /** Those that disks of VMs here rest on, or first starts will. */
  templatesInUse(): ReadonlySet<string> {
    return new Set(this.#localVolumes().flatMap(({ templateId }) => templateId ?? []));
  }

  /** Those that disks of VMs here rest on, or are about to, by their SHA-256. Null: not known, as a record cannot be read or is not written yet. */
  imagesInUse(): string[] | null {
    if (this.actors.some((actor) => actor.record === null && !actor.isForgettable)) return null;
    return this.#localVolumes().flatMap(({ imageSha256 }) => imageSha256 ?? []);
  }

  #localVolumes() {
    return this.actors.flatMap(({ record }) => Object.values(record?.volumes ?? {}).filter((volume) => volume != null));
  }

  snapshots(): VmSnapshot[] {
    return this.actors.map((actor) => actor.snapshot()).filter((snapshot) => snapshot !== null);
  }

  async forgetOldTombstones(nowMs: number): Promise<void> {
    for (const actor of this.actors) await actor.forgetTombstone(nowMs - TOMBSTONE_AGE_MS_MAX);
    this.#dropForgettable();
  }

  /** Lets go of all VMs without touching them. */
  async close(): Promise<void> {
    this.#isClosing = true;
    await Promise.all(this.actors.map((actor) => actor.close()));
  }

  #dropForgettable(): void {
    for (const [vmId, actor] of this.#actors) if (actor.isForgettable) this.#actors.delete(vmId);
  }
}

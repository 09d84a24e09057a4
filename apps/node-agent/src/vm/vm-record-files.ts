import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { replaceFile, syncPath, TEMPORARY_SUFFIX } from '@kvorum/host-storage';
import { DomainError, VmId } from '@kvorum/schema';
import type { StateFolders } from '../state/state-folders.js';
import { VmRecord } from './vm-record.js';

export interface UnreadableRecord {
  readonly vmId: string;
  readonly detail: string;
}

export interface RecordsOnDisk {
  readonly records: readonly VmRecord[];
  readonly unreadable: readonly UnreadableRecord[];
}

/** Where actors remember. A file per VM, replaced as a whole. */
export interface VmRecords {
  /** Resolves when the record is on the disk. Throws `host_fault` if it could not be written; then the old one stands. */
  save(record: VmRecord): Promise<void>;
  forget(vmId: string): Promise<void>;
}

export class VmRecordFiles implements VmRecords {
  readonly #folders: StateFolders;

  constructor(folders: StateFolders) {
    this.#folders = folders;
  }

  async save(record: VmRecord): Promise<void> {
    try {
      await replaceFile(this.#folders.recordOf(record.vmId), `${JSON.stringify(record, null, 2)}\n`);
    } catch (cause) {
      throw new DomainError('host_fault', 'the record of the VM cannot be written on this host', { cause });
    }
  }

  async forget(vmId: string): Promise<void> {
    await rm(this.#folders.recordOf(vmId), { force: true });
    await syncPath(this.#folders.vms);
  }

  /**
   * All records. One that cannot be understood keeps its VM from being touched, and no other: without its fence and epoch
   * the agent could start that VM a second time, so a person has to look. Leftovers of interrupted writes are removed.
   */
  async loadAll(): Promise<RecordsOnDisk> {
    const records: VmRecord[] = [];
    const unreadable: UnreadableRecord[] = [];
    for (const name of await readdir(this.#folders.vms)) {
      const path = join(this.#folders.vms, name);
      const vmId = name.slice(0, -'.json'.length);
      if (name.endsWith(TEMPORARY_SUFFIX)) await rm(path, { force: true });
      // Files of other names are not ours.
      if (!name.endsWith('.json') || !VmId.safeParse(vmId).success) continue;
      const record = await load(path);
      if (record?.vmId === vmId) records.push(record);
      else
        unreadable.push({
          vmId,
          detail: `the record ${path} ${record === null ? 'cannot be understood' : 'is of another VM'}`,
        });
    }
    return { records, unreadable };
  }
}

/** Null: it cannot be read or understood. */
async function load(path: string): Promise<VmRecord | null> {
  try {
    return VmRecord.parse(JSON.parse(await readFile(path, 'utf8')));
  } catch {
    return null;
  }
}

import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DomainError } from '@kvorum/schema';
import type { StateFolders } from '../state/state-folders.js';
import { syncFolder, TEMPORARY_SUFFIX, writeDurably } from '../state/write-durably.js';
import { VmRecord } from './vm-record.js';

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
      await writeDurably(this.#folders.recordOf(record.vmId), `${JSON.stringify(record, null, 2)}\n`);
    } catch (cause) {
      throw new DomainError('host_fault', 'the record of the VM cannot be written on this host', { cause });
    }
  }

  async forget(vmId: string): Promise<void> {
    await rm(this.#folders.recordOf(vmId), { force: true });
    await syncFolder(this.#folders.vms);
  }

  /**
   * All records. Throws `host_fault` if one cannot be understood: without its fence and epoch the agent could start a VM
   * a second time, so a person has to look. Leftovers of interrupted writes are removed.
   */
  async loadAll(): Promise<VmRecord[]> {
    const records: VmRecord[] = [];
    for (const name of await readdir(this.#folders.vms)) {
      const path = join(this.#folders.vms, name);
      if (name.endsWith(TEMPORARY_SUFFIX)) await rm(path, { force: true });
      else if (name.endsWith('.json')) records.push(await this.#load(path, name.slice(0, -'.json'.length)));
    }
    return records;
  }

  async #load(path: string, vmId: string): Promise<VmRecord> {
    try {
      const record = VmRecord.parse(JSON.parse(await readFile(path, 'utf8')));
      if (record.vmId === vmId) return record;
    } catch (cause) {
      throw new DomainError('host_fault', `the record ${path} cannot be understood`, { cause });
    }
    throw new DomainError('host_fault', `the record ${path} is of another VM`);
  }
}

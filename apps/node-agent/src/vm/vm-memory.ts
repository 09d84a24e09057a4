import type { VmHost } from './vm-host.js';
import type { VmRecord } from './vm-record.js';

/** What an actor remembers of its VM: the same in memory as on the disk. */
export class VmMemory {
  readonly vmId: string;
  readonly #host: VmHost;
  #record: VmRecord | null;

  constructor(host: VmHost, vmId: string, record: VmRecord | null) {
    this.#host = host;
    this.vmId = vmId;
    this.#record = record;
  }

  get record(): VmRecord | null {
    return this.#record;
  }

  /** Writes first, believes afterwards; a repeat that changes nothing costs no write. */
  async save(record: VmRecord): Promise<void> {
    if (this.#record !== null && JSON.stringify(this.#record) === JSON.stringify(record)) return;
    await this.#host.records.save(record);
    this.#record = record;
    this.#host.onChange(this.vmId);
  }

  async forget(): Promise<void> {
    await this.#host.records.forget(this.vmId);
    this.#record = null;
  }
}

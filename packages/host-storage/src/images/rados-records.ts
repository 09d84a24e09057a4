import { DomainError } from '@kvorum/schema';
import { z } from 'zod';
import { parseJson } from '../parse-json.js';
import { Id } from '../volume-record.js';
import type { CephTools } from './ceph-tools.js';
import { ImageRecord, type ImageRecords, type ReadRecord, RecordSummary } from './image-record.js';
import { parseOmap } from './parse-omap.js';
import type { RadosLog } from './rados-log.js';

/** An object whose keys are the ids of all volumes that were ever on record: objects cannot be listed without listing all data. */
const INDEX = 'kvorum.volumes';

const logOf = (volumeId: string): string => `volume.${volumeId}`;

/** Records as objects of the pool itself, changed only over what was read. */
export class RadosRecords implements ImageRecords {
  readonly #log: RadosLog;
  readonly #tools: CephTools;

  constructor(log: RadosLog, tools: CephTools) {
    this.#log = log;
    this.#tools = tools;
  }

  async read(volumeId: string): Promise<ReadRecord | null> {
    const { version, value } = await this.#log.read(logOf(volumeId));
    if (version === null) return null;
    const record = ImageRecord.safeParse(value);
    if (!record.success) throw unreadable(volumeId, z.prettifyError(record.error));
    if (record.data.id !== volumeId) throw unreadable(volumeId, `is that of ${record.data.id}`);
    return { record: record.data, version };
  }

  /** A new one is in the index first: what is not found there is never swept. */
  async write(record: ImageRecord, over: string | null): Promise<ReadRecord | null> {
    if (over === null) await this.summarise(record, 0);
    const version = await this.#log.write(logOf(record.id), record, over);
    return version === null ? null : { record, version };
  }

  async summarise(record: ImageRecord, usedBytes: number): Promise<void> {
    const summary: RecordSummary = { state: record.state, sizeBytes: record.sizeBytes, usedBytes };
    await this.#tools.rados(['setomapval', INDEX, record.id, JSON.stringify(summary)]);
  }

  async summaries(): Promise<ReadonlyMap<string, RecordSummary>> {
    const { stdout } = await this.#tools.rados(['listomapvals', INDEX]);
    const found = new Map<string, RecordSummary>();
    for (const [key, text] of parseOmap(stdout)) {
      const id = Id.safeParse(key);
      const summary = RecordSummary.safeParse(parseJson(text));
      if (!id.success || !summary.success)
        throw new DomainError('host_fault', `the index of volumes has a broken entry`);
      found.set(id.data, summary.data);
    }
    return found;
  }

  async forget(volumeId: string): Promise<void> {
    await this.#log.remove(logOf(volumeId));
    await this.#tools.rados(['rmomapkey', INDEX, volumeId]);
  }
}

const unreadable = (volumeId: string, why: string): DomainError =>
  new DomainError('host_fault', `the record of volume ${volumeId} is not readable: ${why}`);

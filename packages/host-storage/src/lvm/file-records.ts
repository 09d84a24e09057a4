import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DomainError } from '@kvorum/schema';
import { z } from 'zod';
import { removeFile, replaceFile } from '../durable-file.js';
import { ImageRecord, type ImageRecords, type ReadRecord, type RecordSummary } from '../images/image-record.js';
import { parseJson } from '../parse-json.js';
import type { VolumeLocks } from '../volume-lock.js';
import { Id } from '../volume-record.js';

const SUFFIX = '.json';
/** Some hundred snapshots; a larger file was not written by us. */
const RECORD_BYTES_MAX = 1024 * 1024;
const Kept = z.strictObject({ record: ImageRecord, usedBytes: z.int().min(0) });
type Kept = z.infer<typeof Kept>;

/** Records as files of one host, one each. Whoever writes holds the volume's lock while it looks whether another was first. */
export class FileRecords implements ImageRecords {
  readonly #folder: string;
  readonly #locks: VolumeLocks;

  constructor(folder: string, locks: VolumeLocks) {
    this.#folder = folder;
    this.#locks = locks;
  }

  async read(volumeId: string): Promise<ReadRecord | null> {
    const kept = await this.#find(volumeId);
    return kept === null ? null : { record: kept.record, version: versionOf(kept.record) };
  }

  write(record: ImageRecord, over: string | null): Promise<ReadRecord | null> {
    return this.#locks.holding([record.id], async () => {
      const before = await this.#find(record.id);
      if ((before === null ? null : versionOf(before.record)) !== over) return null;
      await this.#put({ record, usedBytes: before?.usedBytes ?? 0 });
      return { record, version: versionOf(record) };
    });
  }

  summarise({ id }: ImageRecord, usedBytes: number): Promise<void> {
    return this.#locks.holding([id], async () => {
      const kept = await this.#find(id);
      if (kept !== null && kept.usedBytes !== usedBytes) await this.#put({ ...kept, usedBytes });
    });
  }

  async summaries(): Promise<ReadonlyMap<string, RecordSummary>> {
    const found = new Map<string, RecordSummary>();
    for (const name of await readdir(this.#folder)) {
      const id = name.endsWith(SUFFIX) ? name.slice(0, -SUFFIX.length) : '';
      const kept = Id.safeParse(id).success ? await this.#find(id) : null;
      if (kept === null) continue;
      const { state, sizeBytes } = kept.record;
      found.set(id, { state, sizeBytes, usedBytes: kept.usedBytes });
    }
    return found;
  }

  forget(volumeId: string): Promise<void> {
    return this.#locks.holding([volumeId], async () => {
      await removeFile(this.#pathOf(volumeId));
      await this.#locks.forget(volumeId);
    });
  }

  async #find(volumeId: string): Promise<Kept | null> {
    let text: string;
    try {
      text = await readFile(this.#pathOf(volumeId), 'utf8');
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return null;
      throw unreadable(volumeId, (thrown as Error).message);
    }
    if (text.length > RECORD_BYTES_MAX) throw unreadable(volumeId, `is larger than ${RECORD_BYTES_MAX} bytes`);
    const kept = Kept.safeParse(parseJson(text));
    if (!kept.success) throw unreadable(volumeId, z.prettifyError(kept.error));
    if (kept.data.record.id !== volumeId) throw unreadable(volumeId, `is that of ${kept.data.record.id}`);
    return kept.data;
  }

  async #put(kept: Kept): Promise<void> {
    await replaceFile(this.#pathOf(kept.record.id), `${JSON.stringify(kept, null, 2)}\n`);
  }

  #pathOf(volumeId: string): string {
    return join(this.#folder, `${volumeId}${SUFFIX}`);
  }
}

/** By its content alone, with its keys in the order of the schema: what is read is what was written. */
const versionOf = (record: ImageRecord): string =>
  createHash('sha256')
    .update(JSON.stringify(ImageRecord.parse(record)))
    .digest('hex');

const unreadable = (volumeId: string, why: string): DomainError =>
  new DomainError('host_fault', `the record of volume ${volumeId} is not readable: ${why}`);

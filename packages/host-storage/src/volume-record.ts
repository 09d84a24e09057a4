import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DISK_BYTES_MAX, DomainError } from '@kvorum/schema';
import { z } from 'zod';
import { removeFile, replaceFile } from './durable-file.js';
import { parseJson } from './parse-json.js';
import { Fence, NO_FENCE } from './volume-fence.js';

const RECORD_SUFFIX = '.json';
/** Some hundred snapshots; a larger file was not written by us. */
const RECORD_BYTES_MAX = 1024 * 1024;

/** Lower case alone: an id has one spelling, and one file name. */
export const Id = z.uuid().lowercase();
/** `<volume>.<id given with the request>`: whose a file is can be read from its name, and ids given twice hurt nobody else. */
export const LayerId = z.string().refine((text) => {
  const [volumeId, ownId, ...rest] = text.split('.');
  return Id.safeParse(volumeId).success && Id.safeParse(ownId).success && rest.length === 0;
});
/** The volume whose layer it is. */
export const volumeOf = (layerId: string): string => layerId.split('.')[0] ?? '';
export const layerIdOf = (volumeId: string, id: string): string => `${volumeId}.${id}`;
/** An image may have less than the least that a disk has. */
const SizeBytes = z.int().min(1).max(DISK_BYTES_MAX);
const TimeMs = z.int().min(0);

/** A qcow2 file. It rests on `parentId`, whose file it names in its header; null: it is whole in itself. */
const Layer = z.strictObject({ id: LayerId, parentId: LayerId.nullable() });
const Snapshot = z.strictObject({ id: Id, layerId: LayerId, sizeBytes: SizeBytes, createdAtMs: TimeMs });

/**
 * What a pool knows of one volume: `volumes/<id>.json`. It lies beside the data, so that a pool can be taken to another site, or
 * read when the control plane is gone. Layers form a tree: a snapshot keeps the layer that was written when it was made.
 */
export const VolumeRecord = z.strictObject({
  /** 1 had no fence and no images. */
  formatVersion: z.literal([1, 2]).transform(() => 2 as const),
  id: Id,
  /** Whose it is: the id of a project. */
  ownerId: Id,
  sizeBytes: SizeBytes,
  /** The highest request that was accepted. */
  fence: Fence.default(NO_FENCE),
  /** An image of the site, to be cloned and never written. */
  image: z
    .strictObject({ sha256: z.string().regex(/^[0-9a-f]{64}$/) })
    .nullable()
    .default(null),
  /**
   * `copying`: a full clone that is not whole yet. `trashed`: deleted, and kept until it is purged.
   * `retired`: purged, but for layers that clones rest on; they go with the last clone.
   */
  state: z.enum(['copying', 'ready', 'trashed', 'retired']),
  trashedAtMs: TimeMs.nullable(),
  /** Each stands after the one that it rests on. */
  layers: z.array(Layer),
  /** The layer that is written; null once retired, and of an image. */
  topId: LayerId.nullable(),
  snapshots: z.array(Snapshot),
  /** What it was cloned from: never changed, so that a repeated request is told from another one. */
  origin: z.strictObject({ volumeId: Id, layerId: LayerId, isLinked: z.boolean() }).nullable(),
  /** Layers of this volume that volumes rest on, or copy from. Some may be gone meanwhile: their own record decides. */
  dependents: z.array(z.strictObject({ volumeId: Id, layerId: LayerId })),
  /** The host that may use the volume, and its fencing token; a higher one takes over. */
  holder: z.strictObject({ hostId: Id, epoch: z.int().min(1) }).nullable(),
  /** A step that has begun; whoever comes next finishes it first. */
  pending: z
    .discriminatedUnion('kind', [
      /** `childId` is being written into the layer that it rests on, and then goes. */
      z.strictObject({ kind: z.literal('merge'), childId: LayerId }),
      z.strictObject({ kind: z.literal('grow'), sizeBytes: SizeBytes }),
      /**
       * A layer named by `snapshotId` is there, above the top. Whether a VM's process writes to it already or not, taking it as the top is
       * right: as long as nothing was written to it, the same is seen through it.
       */
      z.strictObject({ kind: z.literal('snapshot'), snapshotId: Id, createdAtMs: TimeMs }),
    ])
    .nullable(),
});
export type VolumeRecord = z.infer<typeof VolumeRecord>;

/** The records of one pool. Whoever writes holds the volume's lock; reading needs none, for files are replaced as a whole. */
export class RecordFiles {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Null: there is none. Throws `host_fault` for one that is not readable as ours. */
  async find(volumeId: string): Promise<VolumeRecord | null> {
    let text: string;
    try {
      text = await readFile(this.#pathOf(volumeId), 'utf8');
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return null;
      throw unreadable(volumeId, (thrown as Error).message);
    }
    if (text.length > RECORD_BYTES_MAX) throw unreadable(volumeId, `is larger than ${RECORD_BYTES_MAX} bytes`);
    const record = VolumeRecord.safeParse(parseJson(text));
    if (!record.success) throw unreadable(volumeId, z.prettifyError(record.error));
    if (record.data.id !== volumeId) throw unreadable(volumeId, `is that of ${record.data.id}`);
    return record.data;
  }

  /** Throws `not_found`. */
  async get(volumeId: string): Promise<VolumeRecord> {
    const record = await this.find(volumeId);
    if (record === null || record.state === 'retired') {
      throw new DomainError('not_found', `the pool has no volume ${volumeId}`);
    }
    return record;
  }

  async put(record: VolumeRecord): Promise<void> {
    await replaceFile(this.#pathOf(record.id), `${JSON.stringify(record, null, 2)}\n`);
  }

  async remove(volumeId: string): Promise<void> {
    await removeFile(this.#pathOf(volumeId));
  }

  /** Ids of all records, retired ones too. */
  async ids(): Promise<string[]> {
    const names = await readdir(this.#folder);
    return names
      .filter((name) => name.endsWith(RECORD_SUFFIX))
      .map((name) => name.slice(0, -RECORD_SUFFIX.length))
      .filter((id) => Id.safeParse(id).success);
  }

  #pathOf(volumeId: string): string {
    return join(this.#folder, `${volumeId}${RECORD_SUFFIX}`);
  }
}

const unreadable = (volumeId: string, why: string): DomainError =>
  new DomainError('host_fault', `the record of volume ${volumeId} is not readable: ${why}`);

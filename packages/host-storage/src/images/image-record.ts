import { randomBytes } from 'node:crypto';
import { DISK_BYTES_MAX } from '@kvorum/schema';
import { z } from 'zod';
import { Fence } from '../volume-fence.js';
import { Id } from '../volume-record.js';

const SizeBytes = z.int().min(1).max(DISK_BYTES_MAX);
const TimeMs = z.int().min(0);
const NONCE_BYTES = 6;
const IMAGE_NAME = /^([0-9a-f-]{36})\.([0-9a-f-]{36})\.[0-9a-f]{12}$/;

/**
 * `<volume>.<id given with the request>.<nonce>`: whose an image is can be read from its name, and no name is given twice. So a verb
 * that comes late, of a host that stood still, never meets an image that was made after it.
 */
export const ImageName = z.string().regex(IMAGE_NAME);
export const newImageName = (volumeId: string, givenId: string): string =>
  `${volumeId}.${givenId}.${randomBytes(NONCE_BYTES).toString('hex')}`;
export const isMadeFor = (image: string, volumeId: string, givenId: string): boolean =>
  image.startsWith(`${volumeId}.${givenId}.`);

/** How many images are read through: itself, and those that it was cloned from. */
const Depth = z.int().min(1);
const Snapshot = z.strictObject({
  id: Id,
  image: ImageName,
  sizeBytes: SizeBytes,
  createdAtMs: TimeMs,
  depth: Depth,
});

/** What a pool of images knows of one volume. It lies beside the images; see record-log.ts. */
export const ImageRecord = z.strictObject({
  formatVersion: z.literal(1),
  id: Id,
  /** Whose it is: the id of a project. */
  ownerId: Id,
  sizeBytes: SizeBytes,
  /** The highest request that was accepted. */
  fence: Fence,
  /** An image of the site, to be cloned and never written. */
  siteImage: z.strictObject({ sha256: z.string().regex(/^[0-9a-f]{64}$/) }).nullable(),
  /**
   * `copying`: on record, and not whole yet. `trashed`: deleted, and kept until it is purged. `retired`: purged, but for images that
   * clones rest on. `gone`: nothing is left but the fence.
   */
  state: z.enum(['copying', 'ready', 'trashed', 'retired', 'gone']),
  /** Its content is all there. */
  isWhole: z.boolean(),
  /** When it was trashed; of one that is gone, when it went. */
  endedAtMs: TimeMs.nullable(),
  /** The image that is written; that of an image of the site never is. */
  top: ImageName,
  depth: Depth,
  snapshots: z.array(Snapshot),
  /** What it was cloned from: never changed, so that a repeated request is told from another one. */
  origin: z
    .strictObject({ volumeId: Id, snapshotId: Id, image: ImageName, sizeBytes: SizeBytes, isLinked: z.boolean() })
    .nullable(),
  /** `isCutOff`: whoever had the volume open before can write to it no more. */
  holder: z.strictObject({ hostId: Id, epoch: z.int().min(1), isCutOff: z.boolean() }).nullable(),
  /** A step that has begun; whoever comes next finishes it first. */
  pending: z
    .discriminatedUnion('kind', [
      z.strictObject({ kind: z.literal('grow'), sizeBytes: SizeBytes }),
      z.strictObject({ kind: z.literal('snapshot'), snapshotId: Id, createdAtMs: TimeMs }),
      z.strictObject({ kind: z.literal('revert'), snapshotId: Id, top: ImageName }),
    ])
    .nullable(),
  /** What nobody needs any more and is to be removed: snapshots by their images, and images. */
  doomed: z.array(z.strictObject({ image: ImageName, snapshot: Id.nullable() })),
});
export type ImageRecord = z.infer<typeof ImageRecord>;

/** Of all volumes at once, without reading each record: for sums, of which the hourly sweep says when they have drifted. */
export const RecordSummary = z.strictObject({
  state: ImageRecord.shape.state,
  sizeBytes: SizeBytes,
  usedBytes: z.int().min(0),
});
export type RecordSummary = z.infer<typeof RecordSummary>;

/** A record as it was read: it is replaced only if nobody has replaced it since. */
export interface ReadRecord {
  readonly record: ImageRecord;
  readonly version: string;
}

/** The records of one pool, among all hosts that reach it. */
export interface ImageRecords {
  /** Null: there never was one. Throws `host_fault` for one that is not readable as ours. */
  read(volumeId: string): Promise<ReadRecord | null>;
  /** Null: another was first. `over` null: there is none yet. */
  write(record: ImageRecord, over: string | null): Promise<ReadRecord | null>;
  /** `usedBytes`: what it took when it was trashed, for the sum of that. */
  summarise(record: ImageRecord, usedBytes: number): Promise<void>;
  /** By the volume's id. */
  summaries(): Promise<ReadonlyMap<string, RecordSummary>>;
  /** Of a volume that is gone for so long that no request for it can come. */
  forget(volumeId: string): Promise<void>;
}

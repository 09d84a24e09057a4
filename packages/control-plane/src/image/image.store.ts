import type { Image, ImageId, ImageSourceFormat, ImageState, ProjectId, StoredError, VmId } from '@kvorum/schema';
import type { Database, Tx } from '../database/database.js';
import { type Image as ImageRow, Prisma } from '../database/generated/client.js';
import type { PageBounds } from '../page-cursor.js';
import type { ImageFacts } from './receive-image.js';

const imageOf = (row: ImageRow): Image => ({
  id: row.id as ImageId,
  projectId: row.projectId as ProjectId,
  name: row.name,
  description: row.description,
  isPublic: row.isPublic,
  state: row.state as ImageState,
  format: 'qcow2',
  sha256: row.sha256,
  source: {
    url: row.sourceUrl,
    format: row.sourceFormat as ImageSourceFormat | null,
    sha256: row.sourceSha256,
    vm: vmOf(row),
  },
  sizeBytes: row.sizeBytes === null ? null : Number(row.sizeBytes),
  virtualSizeBytes: row.virtualSizeBytes === null ? null : Number(row.virtualSizeBytes),
  failure: row.failure as Image['failure'],
  generation: Number(row.generation),
  labels: row.labels as Record<string, string>,
  createdAt: row.createdAt.toISOString(),
});

const vmOf = ({ sourceVmId, sourceVmName, sourceTakenAt }: ImageRow): Image['source']['vm'] =>
  sourceVmId === null || sourceVmName === null || sourceTakenAt === null
    ? null
    : { id: sourceVmId as VmId, name: sourceVmName, takenAt: sourceTakenAt.toISOString() };

/** The VM that an operation makes an image of. */
export interface PublishedVm {
  readonly vmId: VmId;
  readonly vmName: string;
}

export type NewContent =
  | { readonly state: 'uploading'; readonly sha256: string }
  /** `sha256`: of what is at the URL; null: not announced. */
  | { readonly state: 'downloading'; readonly url: string; readonly sha256: string | null }
  | { readonly state: 'downloading'; readonly url: null; readonly sha256: null; readonly vm: PublishedVm }
  | { readonly state: 'available'; readonly facts: ImageFacts };

export interface NewImage {
  readonly id: ImageId;
  readonly projectId: ProjectId;
  readonly name: string;
  readonly isPublic: boolean;
  readonly labels: Readonly<Record<string, string>>;
  readonly description?: string | undefined;
  readonly content: NewContent;
  readonly now: Date;
}

/** False: the project has an image of that name. */
export async function insertImage(tx: Tx, image: NewImage): Promise<boolean> {
  const { content } = image;
  const facts = content.state === 'available' ? content.facts : null;
  const vm = 'vm' in content ? content.vm : null;
  const announced = content.state === 'available' ? content.facts.sourceSha256 : content.sha256;
  const count = await tx.$executeRaw`
    INSERT INTO images (id, project_id, name, is_public, state, sha256, size_bytes, virtual_size_bytes,
                        source_url, source_format, source_sha256, labels, created_at,
                        description, source_vm_id, source_vm_name, source_taken_at)
    VALUES (${image.id}::uuid, ${image.projectId}::uuid, ${image.name}, ${image.isPublic}, ${content.state},
            ${facts?.sha256 ?? (content.state === 'uploading' ? content.sha256 : null)},
            ${facts?.sizeBytes ?? null}::bigint, ${facts?.virtualSizeBytes ?? null}::bigint,
            ${content.state === 'downloading' ? content.url : null}, ${facts?.sourceFormat ?? null}, ${announced},
            ${JSON.stringify(image.labels)}::jsonb, ${image.now}::timestamptz,
            ${image.description ?? null}, ${vm?.vmId ?? null}::uuid, ${vm?.vmName ?? null},
            ${vm === null ? null : image.now}::timestamptz)
    ON CONFLICT (project_id, name) WHERE deleted_at IS NULL DO NOTHING`;
  return count === 1;
}

export async function findImage(database: Database | Tx, id: string): Promise<Image | null> {
  const row = await database.image.findUnique({ where: { id, deletedAt: null } });
  return row === null ? null : imageOf(row);
}

/** Those of the images that there are, kept from being deleted until the transaction ends. */
export async function holdImages(tx: Tx, ids: readonly string[]): Promise<ReadonlyMap<string, Image>> {
  await tx.$executeRaw`
    SELECT FROM images WHERE id = ANY (${[...ids]}::uuid[]) AND deleted_at IS NULL ORDER BY id FOR KEY SHARE`;
  return findImagesById(tx, ids);
}

export async function findImagesById(
  database: Database | Tx,
  ids: readonly string[],
): Promise<ReadonlyMap<string, Image>> {
  const rows = await database.image.findMany({ where: { id: { in: [...ids] }, deletedAt: null } });
  return new Map(rows.map((row) => [row.id, imageOf(row)]));
}

export interface ImageFilter {
  /** Of this project alone; null: any. */
  readonly projectId: ProjectId | null;
  /** Whose images the caller may see besides public ones; null: everybody's. */
  readonly visibleTo: ProjectId | null;
  readonly state: ImageState | undefined;
  readonly name: string | undefined;
  readonly sha256: string | undefined;
}

export async function findImages(database: Database, filter: ImageFilter, bounds: PageBounds): Promise<Image[]> {
  const rows = await database.image.findMany({
    where: {
      deletedAt: null,
      ...(bounds.afterId === null ? {} : { id: { gt: bounds.afterId } }),
      ...(filter.projectId === null ? {} : { projectId: filter.projectId }),
      ...(filter.visibleTo === null ? {} : { OR: [{ projectId: filter.visibleTo }, { isPublic: true }] }),
      ...(filter.state === undefined ? {} : { state: filter.state }),
      ...(filter.name === undefined ? {} : { name: filter.name }),
      ...(filter.sha256 === undefined
        ? {}
        : { AND: [{ OR: [{ sha256: filter.sha256 }, { sourceSha256: filter.sha256 }] }] }),
    },
    orderBy: { id: 'asc' },
    take: bounds.rowCountMax,
  });
  return rows.map(imageOf);
}

/**
 * Of several that received its content one gets true. A refused upload may be sent again; a download that failed is over, also for
 * a worker that was thought dead. False also when the image was deleted meanwhile.
 */
export async function markAvailable(tx: Tx, id: string, facts: ImageFacts): Promise<boolean> {
  const count = await tx.$executeRaw`
    UPDATE images
       SET state = 'available', size_bytes = ${facts.sizeBytes}::bigint,
           virtual_size_bytes = ${facts.virtualSizeBytes}::bigint, sha256 = ${facts.sha256},
           source_format = ${facts.sourceFormat}, source_sha256 = ${facts.sourceSha256},
           failure = NULL, generation = generation + 1
     WHERE id = ${id}::uuid
       AND (state IN ('uploading', 'downloading') OR (state = 'failed' AND source_url IS NULL AND source_vm_id IS NULL))`;
  return count === 1;
}

/** Only while nothing better is known: a second upload may have ended well meanwhile. */
export async function markFailed(tx: Tx, id: string, failure: StoredError): Promise<boolean> {
  const count = await tx.$executeRaw`
    UPDATE images SET state = 'failed', failure = ${JSON.stringify(failure)}::jsonb, generation = generation + 1
     WHERE id = ${id}::uuid AND state IN ('uploading', 'downloading', 'failed')`;
  return count === 1;
}

/**
 * VM `v` was made from the image, or has it in a drive: now, from its next start on, or once the operation under way is done, of
 * which only its input knows until then. (What an operation has that ended is in the VM, or was taken back.)
 */
const isNeededByVm = (imageId: string) => {
  const inDrive = Prisma.sql`${JSON.stringify([{ imageId }])}::jsonb`;
  return Prisma.sql`(
    v.image_id = ${imageId}::uuid
    OR v.hardware #> '{devices,cdroms}' @> ${inDrive}
    OR v.next_shape #> '{hardware,devices,cdroms}' @> ${inDrive}
    OR EXISTS (SELECT FROM operations o
                WHERE o.id = v.operation_id AND o.finished_at IS NULL AND o.input -> 'images' @> ${inDrive}))`;
};

/** Locks the image against `holdImages` and counts the VMs that need it. */
export async function lockImageAndCountVms(tx: Tx, id: string): Promise<number> {
  await tx.$executeRaw`SELECT FROM images WHERE id = ${id}::uuid FOR UPDATE`;
  const rows = await tx.$queryRaw<{ count: bigint }[]>`
    SELECT count(*) FROM vms v WHERE v.deleted_at IS NULL AND ${isNeededByVm(id)}`;
  return Number(rows[0]?.count);
}

export async function markImageDeleted(tx: Tx, id: string, now: Date): Promise<boolean> {
  const { count } = await tx.image.updateMany({
    where: { id, deletedAt: null },
    data: { state: 'deleted', deletedAt: now, generation: { increment: 1 } },
  });
  return count === 1;
}

/** Is there a VM on the host that needs the image? */
export async function isImageNeededBy(database: Database, hostId: string, imageId: string): Promise<boolean> {
  const rows = await database.$queryRaw<object[]>`
    SELECT 1 AS needed FROM vms v
     WHERE v.host_id = ${hostId}::uuid AND v.deleted_at IS NULL AND ${isNeededByVm(imageId)} LIMIT 1`;
  return rows.length > 0;
}

/** Those of the ids that are not of an image any more. */
export async function findDeletedImages(database: Database, ids: readonly string[]): Promise<string[]> {
  const rows = await database.image.findMany({
    where: { id: { in: [...ids] }, deletedAt: { not: null } },
    select: { id: true },
  });
  return rows.map((row) => row.id);
}

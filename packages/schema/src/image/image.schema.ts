import { z } from 'zod';
import { StoredErrorShape } from '../errors/problem.schema.js';
import { ImageId, ProjectId, VmId } from '../ids.js';
import { IMAGE_PART_BYTES_MAX, IMAGE_PART_COUNT_MAX, IMAGE_URL_LENGTH_MAX } from '../limits.js';
import { Labels, ResourceName } from '../names.js';
import { PageQuery } from '../page.schema.js';

/** uploading: a row waits for its content; downloading: an operation fetches it, or makes it of a VM; available: checked and usable; failed: the content was refused. */
export const ImageState = z
  .enum(['uploading', 'downloading', 'available', 'failed', 'deleted'])
  .meta({ id: 'ImageState' });
export type ImageState = z.infer<typeof ImageState>;

export const Sha256 = z
  .string()
  .regex(/^[0-9a-f]{64}$/, { error: 'must be a SHA-256 in 64 lower-case hexadecimal digits' })
  .meta({ description: 'SHA-256 of the file, lower-case hex' });

/** What may be taken in; everything but qcow2 is converted to it. */
export const IMAGE_SOURCE_FORMATS = ['qcow2', 'raw', 'vdi', 'vhdx', 'vhd'] as const;
export const ImageSourceFormat = z.enum(IMAGE_SOURCE_FORMATS).meta({ id: 'ImageSourceFormat' });
export type ImageSourceFormat = z.infer<typeof ImageSourceFormat>;

const naming = {
  name: ResourceName,
  projectId: ProjectId.optional().meta({ description: "Defaults to the token's project, or to `default`" }),
  isPublic: z.boolean().default(false).meta({ description: 'Admins only: usable by every project' }),
  labels: Labels.default({}),
};

/** Makes the row; the content follows by PUT /v1/images/{imageId}/content. */
export const CreateImageRequest = z.strictObject({ ...naming, sha256: Sha256 }).meta({ id: 'CreateImageRequest' });
export type CreateImageRequest = z.infer<typeof CreateImageRequest>;

export const Sha512 = z
  .string()
  .regex(/^[0-9a-f]{128}$/, { error: 'must be a SHA-512 in 128 lower-case hexadecimal digits' })
  .meta({ description: 'SHA-512 of the file, lower-case hex' });

const ImageUrl = z
  .url({ protocol: /^https?$/, error: 'must be an http or https URL' })
  .max(IMAGE_URL_LENGTH_MAX)
  // It is kept with the image, and shown: a password or a signature would be too.
  .refine((text) => !/[@?#]/.test(text), { error: 'must have neither a user name, nor a query, nor a fragment' })
  .meta({ description: 'Where the image is published', example: 'https://cloud.example.org/images/debian-13.qcow2' });

/** Fetches an image from a web server; only with a checksum may that be one without TLS. */
export const DownloadImageRequest = z
  .strictObject({ ...naming, url: ImageUrl, sha256: Sha256.optional(), sha512: Sha512.optional() })
  .refine(({ sha256, sha512 }) => sha256 === undefined || sha512 === undefined, {
    error: 'give one checksum, sha256 or sha512',
    path: ['sha512'],
  })
  .refine(({ url, sha256, sha512 }) => url.startsWith('https:') || (sha256 ?? sha512) !== undefined, {
    error: 'needs a checksum: what comes over http can have been changed on the way',
    path: ['url'],
  })
  .meta({ id: 'DownloadImageRequest' });
export type DownloadImageRequest = z.infer<typeof DownloadImageRequest>;

/** Imports a file that already lies on the control plane's machine, in the folder the operator set aside for it. */
export const ImportImageRequest = z
  .strictObject({
    ...naming,
    sha256: Sha256,
    fileName: z
      .string()
      .min(1)
      .max(255)
      .regex(/^[A-Za-z0-9_][A-Za-z0-9._-]*$/, { error: 'must be a plain file name inside the import folder' })
      .meta({ description: 'Name of a file in the import folder of the control plane' }),
  })
  .meta({ id: 'ImportImageRequest' });
export type ImportImageRequest = z.infer<typeof ImportImageRequest>;

export const Image = z
  .object({
    id: ImageId,
    projectId: ProjectId,
    name: ResourceName,
    description: z.string().nullable(),
    isPublic: z.boolean(),
    state: ImageState,
    format: z.literal('qcow2'),
    sha256: Sha256.nullable().meta({ description: 'Of the qcow2 file that hosts get; null until it is there' }),
    source: z
      .object({
        url: z.string().nullable(),
        format: ImageSourceFormat.nullable(),
        sha256: Sha256.nullable(),
        vm: z.object({ id: VmId, name: ResourceName, takenAt: z.iso.datetime() }).nullable().meta({
          description: 'The VM that it was published from, as it was called then, and when that was asked for',
        }),
      })
      .meta({ description: 'What was taken in, before any conversion to qcow2' }),
    sizeBytes: z.int().nullable(),
    virtualSizeBytes: z.int().nullable(),
    failure: StoredErrorShape.nullable(),
    generation: z.int(),
    labels: Labels,
    createdAt: z.iso.datetime(),
  })
  .meta({ id: 'Image' });
export type Image = z.infer<typeof Image>;

export const ListImagesQuery = PageQuery.extend({
  projectId: ProjectId.optional(),
  state: ImageState.optional(),
  name: ResourceName.optional(),
  sha256: Sha256.optional(),
});
export type ListImagesQuery = z.infer<typeof ListImagesQuery>;

/** A stretch of an image that is uploaded in parts, which can be sent in any order and again. */
export const ImagePart = z
  .object({
    number: z
      .int()
      .min(1)
      .max(IMAGE_PART_COUNT_MAX)
      .meta({ description: 'Place in the image, from 1 on without a gap' }),
    sizeBytes: z.int().min(1).max(IMAGE_PART_BYTES_MAX),
  })
  .meta({ id: 'ImagePart' });
export type ImagePart = z.infer<typeof ImagePart>;

export const ImageParts = z.object({ items: z.array(ImagePart).max(IMAGE_PART_COUNT_MAX) }).meta({ id: 'ImageParts' });
export type ImageParts = z.infer<typeof ImageParts>;

export const CompleteImageRequest = z
  .strictObject({
    partCount: ImagePart.shape.number.meta({ description: 'The image consists of parts 1 to this one' }),
  })
  .meta({ id: 'CompleteImageRequest' });
export type CompleteImageRequest = z.infer<typeof CompleteImageRequest>;

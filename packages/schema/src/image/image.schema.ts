import { z } from 'zod';
import { StoredErrorShape } from '../errors/problem.schema.js';
import { ImageId, ProjectId } from '../ids.js';
import { Labels, ResourceName } from '../names.js';
import { PageQuery } from '../page.schema.js';

/** uploading: a row waits for its content; available: checked and usable; failed: the content was refused. */
export const ImageState = z.enum(['uploading', 'available', 'failed', 'deleted']).meta({ id: 'ImageState' });
export type ImageState = z.infer<typeof ImageState>;

export const Sha256 = z
  .string()
  .regex(/^[0-9a-f]{64}$/, { error: 'must be a SHA-256 in 64 lower-case hexadecimal digits' })
  .meta({ description: 'SHA-256 of the file, lower-case hex' });

const naming = {
  name: ResourceName,
  projectId: ProjectId.optional().meta({ description: "Defaults to the token's project, or to `default`" }),
  isPublic: z.boolean().default(false).meta({ description: 'Admins only: usable by every project' }),
  labels: Labels.default({}),
};

/** Makes the row; the content follows by PUT /v1/images/{imageId}/content. */
export const CreateImageRequest = z.strictObject({ ...naming, sha256: Sha256 }).meta({ id: 'CreateImageRequest' });
export type CreateImageRequest = z.infer<typeof CreateImageRequest>;

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
    isPublic: z.boolean(),
    state: ImageState,
    format: z.literal('qcow2'),
    sha256: Sha256,
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

import { z } from 'zod';
import { ResourceName } from '../names.js';

const DESCRIPTION_LENGTH_MAX = 500;

export const PublishVmRequest = z
  .strictObject({
    name: ResourceName.meta({ description: 'Of the image' }),
    description: z
      .string()
      .min(1)
      .max(DESCRIPTION_LENGTH_MAX)
      .regex(/^[^\p{Cc}]*$/u, { error: 'must be one line of text' })
      .optional(),
  })
  .meta({ id: 'PublishVmRequest' });
export type PublishVmRequest = z.infer<typeof PublishVmRequest>;

export const PublishVmQuery = z.object({
  dryRun: z.enum(['plan']).optional().meta({ description: 'plan: say what would be published, and change nothing' }),
});

export const VmPublishPlan = z
  .object({
    vmName: ResourceName,
    imageName: ResourceName,
    diskBytes: z.int().meta({ description: 'Of the root disk; what its guest has not written is not carried' }),
    steps: z.array(z.string()),
    warnings: z
      .array(z.string())
      .meta({ description: 'What stays in the image, and is everybody’s who starts a VM from it' }),
  })
  .meta({ id: 'VmPublishPlan', description: 'What would be published; nothing was changed' });
export type VmPublishPlan = z.infer<typeof VmPublishPlan>;

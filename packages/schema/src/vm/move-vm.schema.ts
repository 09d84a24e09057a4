import { z } from 'zod';
import { HostId } from '../ids.js';

export const MoveVmRequest = z
  .strictObject({
    hostId: HostId.optional().meta({
      description: 'Where to; left out: where placement puts it. Naming a host needs the role admin',
    }),
  })
  .meta({ id: 'MoveVmRequest' });
export type MoveVmRequest = z.infer<typeof MoveVmRequest>;

export const MoveVmQuery = z.object({
  dryRun: z.enum(['plan']).optional().meta({ description: 'plan: say where it would go, and change nothing' }),
});

export const VmMovePlan = z
  .object({
    fromHostId: HostId,
    fromHostName: z.string(),
    toHostId: HostId,
    toHostName: z.string(),
    diskBytes: z.int().meta({ description: 'Of its disks; what its guest has not written is not carried' }),
    steps: z.array(z.string()),
    lastStep: z.string().meta({ description: 'Until it begins, all can be undone' }),
  })
  .meta({ id: 'VmMovePlan', description: 'What a move would do; nothing was changed' });
export type VmMovePlan = z.infer<typeof VmMovePlan>;

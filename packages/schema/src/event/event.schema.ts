import { z } from 'zod';
import { ProjectId } from '../ids.js';

export const Event = z
  .object({
    id: z.string().meta({ description: 'Position in the stream; send as Last-Event-ID to go on from here' }),
    type: z.string().meta({ description: 'Such as vm.state, vm.condition, operation.state, host.connectivity' }),
    projectId: ProjectId.nullable(),
    resourceKind: z.string(),
    resourceId: z.string(),
    at: z.iso.datetime(),
    data: z.record(z.string(), z.unknown()),
  })
  .meta({ id: 'Event' });
export type Event = z.infer<typeof Event>;

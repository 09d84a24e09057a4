import { z } from 'zod';

/** Seven days: who waits longer wants hosts, not a place in a queue. */
const WAIT_MS_MAX = 7 * 24 * 3600 * 1000;

export const WaitForCapacity = z
  .strictObject({
    deadlineMs: z.int().min(1000).max(WAIT_MS_MAX).meta({ description: 'So long it may wait; then it has failed' }),
    priority: z.int().min(0).max(100).default(0).meta({
      description: 'Who has more goes first, then who came first; above 50 needs the role admin',
    }),
  })
  .meta({ id: 'WaitForCapacity' });

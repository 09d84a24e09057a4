import { z } from 'zod';

/** What a VM shows its output on, besides its serial console, which every VM has. */
export const VmDisplay = z
  .strictObject({
    kind: z.enum(['none', 'vga']).default('none').meta({
      description:
        'none: a server without a screen; vga: a standard VGA card with 16 MiB, seen by VNC and on screenshots. Takes effect at the next start',
    }),
  })
  .meta({ id: 'VmDisplay' });
export type VmDisplay = z.infer<typeof VmDisplay>;

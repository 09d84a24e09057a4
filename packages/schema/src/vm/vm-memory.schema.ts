import { z } from 'zod';

/** How the memory of a VM is backed on its host and laid out for the guest. Part of VmHardware. */
export const VmMemory = z.strictObject({}).meta({ id: 'VmMemory' });

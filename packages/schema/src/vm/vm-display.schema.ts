import { z } from 'zod';

/** What a person can look at besides the serial console. Part of VmHardware. */
export const VmDisplay = z.strictObject({}).meta({ id: 'VmDisplay' });

import { z } from 'zod';

/** Which processor the guest sees and how its vCPUs get time on the host. Part of VmHardware. */
export const VmCpu = z.strictObject({}).meta({ id: 'VmCpu' });

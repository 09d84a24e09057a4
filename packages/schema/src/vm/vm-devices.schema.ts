import { z } from 'zod';

/** Disks beside the root disk, network cards and drives with removable media. Part of VmHardware. */
export const VmDevices = z.strictObject({}).meta({ id: 'VmDevices' });

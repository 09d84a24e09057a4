import { z } from 'zod';

/** What starts the guest, and the devices that vouch for it or watch over it. Part of VmHardware. */
export const VmFirmware = z.strictObject({}).meta({ id: 'VmFirmware' });

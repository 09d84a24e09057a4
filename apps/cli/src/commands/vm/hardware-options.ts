import type { CreateVmBody } from '@kvorum/client';
import { type Command, Option } from 'commander';
import { addCpuOptions, type CpuOptions, cpuHardwareOf } from './cpu-options.js';
import { addFirmwareOptions, type FirmwareOptions, firmwareOf } from './firmware-options.js';
import { addPlacementOptions, type PlacementOptions, placementHardwareOf } from './placement-options.js';
import { addRoomOptions, type RoomOptions, roomOf } from './room-options.js';

export type HardwareOptions = CpuOptions &
  PlacementOptions &
  FirmwareOptions &
  RoomOptions & { readonly display?: 'none' | 'vga' };

type Hardware = NonNullable<CreateVmBody['hardware']>;

/** The machine a VM is: the same options wherever one is spoken of. */
export const addHardwareOptions = (command: Command): Command =>
  addRoomOptions(addFirmwareOptions(addPlacementOptions(addCpuOptions(command)))).addOption(
    new Option('--display <kind>', 'a screen to be seen by VNC; default: none').choices(['none', 'vga']),
  );

/** The parts that options spoke of; undefined: none did. `plugged`: what is plugged in besides. */
export function hardwareOf(options: HardwareOptions, plugged: Hardware['devices'] = {}): Hardware | undefined {
  const firmware = firmwareOf(options);
  const devices = { ...roomOf(options), ...plugged };
  const hardware: Hardware = {
    ...cpuHardwareOf(options),
    ...placementHardwareOf(options),
    ...(options.display && { display: { kind: options.display } }),
    ...(firmware && { firmware }),
    ...(Object.keys(devices).length > 0 && { devices }),
  };
  return Object.keys(hardware).length === 0 ? undefined : hardware;
}

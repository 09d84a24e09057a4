import type { Flavor, SimulatePlacementRequest, VmHardware } from '@kvorum/schema';
import type { NewVmRequest } from '../vm-template/fork-request.js';
import { assignDevices, refusalOf } from './assign-devices.js';

type Devices = VmHardware['devices'];

/** The request with what the site gives its devices: ids, slots, addresses. Throws invalid_request that names the field. */
export function withAssignedDevices(
  request: NewVmRequest,
  siteId: string,
  attachedIds: ReadonlySet<string>,
): NewVmRequest {
  const { hardware } = request;
  return {
    ...request,
    hardware: withDevices(hardware, assignDevices({ wanted: hardware.devices, known: [], siteId, attachedIds })),
  };
}

export const withDevices = (hardware: VmHardware, devices: Devices): VmHardware => ({ ...hardware, devices });

/** Throws invalid_request for room to grow that is less than what the VM has from the start. */
export function requireRoom({ maxVcpuCount, maxMemoryBytes }: Devices, flavor: Flavor): void {
  for (const [name, most, least] of [
    ['maxVcpuCount', maxVcpuCount, flavor.vcpuCount],
    ['maxMemoryBytes', maxMemoryBytes, flavor.memoryBytes],
  ] as const) {
    if (most !== null && most < least) {
      throw refusalOf(`body.hardware.devices.${name}`, `is below the flavor's ${least}`);
    }
  }
}

type Sized = Pick<SimulatePlacementRequest['vms'][number], 'rootDiskBytes' | 'hardware'>;

/** Its root disk can be told of in two places. Throws invalid_request if they differ. `at`: the field of the request. */
export function rootDiskBytesOf({ rootDiskBytes, hardware }: Sized, flavor: Flavor, at = 'body'): number {
  const { sizeBytes } = hardware.devices.rootDisk;
  if (sizeBytes === null) return rootDiskBytes ?? flavor.rootDiskBytes;
  if (rootDiskBytes === undefined || rootDiskBytes === sizeBytes) return sizeBytes;
  throw refusalOf(
    `${at}.hardware.devices.rootDisk.sizeBytes`,
    `is not rootDiskBytes, ${rootDiskBytes}; give one of them`,
  );
}

/** Of all disks of a VM together that lie in the folder of its host. */
export const diskBytesOf = (rootDiskBytes: number, { rootDisk, dataDisks }: Devices): number =>
  dataDisks.reduce(
    (sum, { poolId, sizeBytes }) => sum + (poolId === null ? sizeBytes : 0),
    rootDisk.poolId === null ? rootDiskBytes : 0,
  );

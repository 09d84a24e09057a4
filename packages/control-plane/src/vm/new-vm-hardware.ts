import type { CreateVmRequest, Flavor } from '@kvorum/schema';
import { refusalOf } from './assign-devices.js';

/** What is plugged in is added to a VM that is there: an update has the steps and the undo for it. */
export function requirePlainDevices({ hardware }: CreateVmRequest, flavor: Flavor): void {
  const { devices } = hardware;
  const later = [
    ...(['dataDisks', 'nics'] as const).filter((name) => devices[name].length > 0),
    ...(devices.cdroms.some(({ imageId }) => imageId !== null) ? ['cdroms'] : []),
    ...(devices.rootDisk.sizeBytes === null ? [] : ['rootDisk.sizeBytes']),
  ];
  const [first] = later;
  if (first !== undefined) {
    const message =
      first === 'rootDisk.sizeBytes' ? 'give rootDiskBytes instead' : 'is added once the VM is there: update it';
    throw refusalOf(`body.hardware.devices.${first}`, message);
  }
  for (const [name, least] of [
    ['maxVcpuCount', flavor.vcpuCount],
    ['maxMemoryBytes', flavor.memoryBytes],
  ] as const) {
    const most = devices[name];
    if (most !== null && most < least)
      throw refusalOf(`body.hardware.devices.${name}`, `is below the flavor's ${least}`);
  }
}

/** Its root disk is as large as its volume: what an update compares with. */
export function sizedHardware({ hardware }: CreateVmRequest, sizeBytes: number): CreateVmRequest['hardware'] {
  const { devices } = hardware;
  return { ...hardware, devices: { ...devices, rootDisk: { ...devices.rootDisk, sizeBytes } } };
}

import { VmHardware } from '@kvorum/schema';

/** What of a VM's hardware its forks have too: a template has no cards, and limits of its disk are each fork's own. */
export function hardwareOfTemplate(hardware: VmHardware): VmHardware {
  const { devices } = hardware;
  const { rootDisk } = VmHardware.parse({}).devices;
  return { ...hardware, machineType: null, devices: { ...devices, nics: [], rootDisk } };
}

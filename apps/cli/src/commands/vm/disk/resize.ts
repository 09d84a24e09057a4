import { parseByteSize } from '../../../byte-size.js';
import type { AddVerb } from '../../../cli.js';
import { examples } from '../../../examples.js';
import { resolveVm } from '../../../resolve-name.js';
import { addUpdateEndOptions, endWithUpdate, type UpdateEndOptions } from '../end-with-update.js';
import { changeOfList, findDevice, wantedDevices } from '../wanted-devices.js';

export const addVmDiskResize: AddVerb = (disk, cli) => {
  addUpdateEndOptions(disk.command('resize'))
    .description('Make a disk larger; the guest sees it at once, and grows its file system itself')
    .argument('<vm>', 'name or id')
    .argument('<disk>', 'id or the beginning of it; "root": the root disk')
    .argument('<size>', 'such as 40GiB', parseByteSize)
    .addHelpText('after', examples('kvorum vm disk resize web-1 root 40GiB --wait'))
    .action(async (nameOrId: string, diskId: string, sizeBytes: number, options: UpdateEndOptions) => {
      const client = cli.connect();
      const vm = await client.vms.get(await resolveVm(client, nameOrId));
      if (diskId === 'root') {
        return endWithUpdate(cli, client, { vmId: vm.id, body: { rootDiskBytes: sizeBytes } }, options);
      }
      const disks = wantedDevices(vm, 'dataDisks');
      const { id } = findDevice(disks, 'disk', diskId);
      const resized = disks.map((entry) => (entry.id === id ? { ...entry, sizeBytes } : entry));
      await endWithUpdate(cli, client, changeOfList(vm, 'dataDisks', resized), options);
    });
};
